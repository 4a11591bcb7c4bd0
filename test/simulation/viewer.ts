/** Somebody who watches: the real client library on a machine that sleeps, reads slowly, and changes its mind. */
import type { Scope } from "../../shared/auth/permission.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { OpenSocket } from "../../shared/client/web-socket.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Filters, Mode } from "../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { Data } from "./lane.ts";
import type { Net } from "./net.ts";
import { OwnClock } from "./own-clock.ts";
import type { Random } from "./random.ts";
import { AGENT_TYPES, SERVER_SOURCES, SWARM_IDS } from "./swarm.ts";
import type { Tokens } from "./tokens.ts";
import type { Wire } from "./wire.ts";

export type ViewerPorts = {
  clock: Clock;
  random: Random;
  net: Net;
  tokens: Tokens;
  /** A socket to the gateway is being opened at its far end. */
  dialled(wire: Wire, url: URL, token: string): void;
  wrong(what: string): void;
};

const MODES: readonly Mode[] = ["high_frequency", "normal", "normal", "low_frequency", "on_demand"];

export class Viewer {
  readonly name: string;
  readonly stream: HivegateStream;
  readonly #ports: ViewerPorts;
  readonly #clock: OwnClock;
  readonly #seesTasks: boolean;
  #token: string;
  #wire: Wire | null = null;
  #asleep = false;
  /** Where it was, through which view, in which epoch. */
  #lastPlace: { through: string; offset: number } | null = null;
  filters: Filters;
  mode: Mode;
  gaps = 0;
  frames = 0;

  constructor(name: string, ports: ViewerPorts) {
    const { random, clock } = ports;
    this.name = name;
    this.#ports = ports;
    this.#clock = new OwnClock(clock);
    this.#seesTasks = random.chance(0.8);
    this.filters = someFilters(random);
    this.mode = random.pick(MODES) ?? "normal";
    this.#token = this.#newToken(random.chance(0.5) ? {} : someLists(random));
    const renews = random.chance(0.8);
    this.stream = new HivegateStream({
      ...{ baseUrl: "http://gateway", hive: "default", token: this.#token, clock: this.#clock },
      ...{ filters: this.filters, mode: this.mode, random: random.next },
      ...{ encoding: random.chance(0.2) ? "deflate" : "json", openSocket: this.#openSocket },
      ...(renews && { freshToken: () => this.#freshToken() }),
    });
    this.#watchPicture();
  }

  /** As its token in use says. */
  get identity() {
    return this.#ports.tokens.of(this.#token);
  }

  get isOver(): boolean {
    return this.stream.state.name === "closed";
  }

  get timers(): number {
    return this.#clock.waiting;
  }

  changeFilters(): void {
    this.filters = someFilters(this.#ports.random);
    this.stream.setFilters(this.filters);
    this.#lastPlace = null;
  }

  changeMode(): void {
    this.mode = this.#ports.random.pick(MODES) ?? "normal";
    this.stream.setMode(this.mode);
  }

  sleep(): void {
    if (this.#asleep) return;
    this.#asleep = true;
    this.#clock.sleep();
    this.#wire?.hold("near");
  }

  wake(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.#clock.wake();
    this.#wire?.release("near");
  }

  leave(): void {
    this.wake();
    this.stream.close();
  }

  readonly #openSocket: OpenSocket = (url, [, token = ""], events) => {
    const { net, dialled } = this.#ports;
    const wire = net.connect(`socket of ${this.name}`);
    this.#wire = wire;
    wire.near.listen({
      // The browser's inflater works beside the page, in real time; here a frame is unpacked on the way.
      message: (data) => events.message(asText(data)),
      closed: (code, reason) => events.close(code, reason),
    });
    dialled(wire, new URL(url), token);
    return {
      send: (text) => {
        if (wire.near.isOpen) wire.near.send(text);
      },
      close: () => wire.near.close(),
    };
  };

  /** Now and then it shows something else than the one before. */
  async #freshToken(): Promise<string> {
    const { random, tokens } = this.#ports;
    const { scope } = tokens.of(this.#token);
    this.#token = this.#newToken(random.chance(0.7) ? scope : someLists(random));
    return this.#token;
  }

  #newToken(scope: Scope): string {
    const { random, tokens, clock } = this.#ports;
    const lifeMs = random.chance(0.2) ? random.between(5_000, 60_000) : 3_600_000;
    return tokens.give(this.name, scope, this.#seesTasks, clock.now() + lifeMs);
  }

  #watchPicture(): void {
    const { picture } = this.stream;
    const apply = picture.apply.bind(picture);
    picture.apply = (frame: GatewayFrame) => {
      const outcome = apply(frame);
      this.frames++;
      if (outcome === "gap") this.gaps++;
      this.#seeProgress();
      return outcome;
    };
  }

  #seeProgress(): void {
    const { epoch, view, offset } = this.stream.picture;
    const before = this.#lastPlace;
    const through = `${epoch} ${view}`;
    this.#lastPlace = epoch === null ? null : { through, offset };
    if (before?.through === through && offset < before.offset)
      this.#ports.wrong(`${this.name} went back from offset ${before.offset} to ${offset}`);
  }
}

const asText = (data: Data): string => (typeof data === "string" ? data : new TextDecoder().decode(data));

const someFilters = (random: Random): Filters => ({
  ...(random.chance(0.6) && someLists(random)),
  include_performance: random.chance(0.5),
  include_neural: random.chance(0.5),
  include_topology: random.chance(0.5),
});

const someLists = (random: Random): Scope => ({
  ...(random.chance(0.3) && { server_types: random.some(SERVER_SOURCES) }),
  ...(random.chance(0.3) && { agent_types: random.some(AGENT_TYPES) }),
  ...(random.chance(0.5) && { swarm_ids: random.some(SWARM_IDS) }),
});
