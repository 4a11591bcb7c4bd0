/** A hive and everybody around it: one sidecar, one Hive, some shards, viewers that come and go. */

import { asHivegateError, ERRORS, HivegateError } from "../../shared/errors.ts";
import { HelloQuery } from "../../shared/protocol/client.ts";
import { isWholeHive } from "../../shared/swarm/view.ts";
import { errorFrame } from "../../worker/session/error-frame.ts";
import type { SessionState } from "../../worker/session/session.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { HiveHost } from "./hive-host.ts";
import { leakIn } from "./leaks.ts";
import { Net } from "./net.ts";
import { Random } from "./random.ts";
import { ShardHost } from "./shard-host.ts";
import { ConnectionLost } from "./sidecar-fetch.ts";
import { CONFIGURED_SERVER, SidecarHost } from "./sidecar-host.ts";
import { Swarm } from "./swarm.ts";
import { Tokens } from "./tokens.ts";
import { Viewer } from "./viewer.ts";
import type { End, Wire } from "./wire.ts";

/** Hears of all that happens, line by line. */
export type Trace = (line: string) => void;

export class World {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly net: Net;
  readonly swarm: Swarm;
  readonly sidecar: SidecarHost;
  readonly hive: HiveHost;
  readonly shards: readonly ShardHost[];
  readonly viewers: Viewer[] = [];
  readonly platform: "cloudflare" | "deno";
  /** What should never have happened. */
  readonly wrongs: string[] = [];
  readonly #tokens: Tokens;
  readonly #trace: Trace | null;
  /** Clients find no gateway. */
  isGatewayAway = false;
  #viewers = 0;

  constructor(seed: number, trace: Trace | null) {
    const random = new Random(seed);
    this.random = random;
    this.#trace = trace;
    this.net = new Net(this.clock, random, (line) => this.tell(line));
    this.#tokens = new Tokens(random);
    this.platform = random.chance(0.8) ? "cloudflare" : "deno";
    // A picture keeps a hundred tasks.
    this.swarm = new Swarm(random, () => this.clock.now(), random.chance(0.05) ? 98 : 3);
    const { clock, net, swarm, platform } = this;
    const log = (message: string, error: unknown) => this.#log(message, error);
    // A line more on the way makes another world of a seed. None of those that are pinned ends like this.
    const hasConfigs = [1, 2, 3].includes(seed % 10);
    this.sidecar = new SidecarHost({ clock, random, net, swarm, hasConfigs });
    this.hive = new HiveHost({ clock, random, net, log, sidecar: this.sidecar });
    this.shards = Array.from(
      { length: random.between(1, 3) },
      (_, i) =>
        new ShardHost(`shard ${i}`, {
          ...{ clock, random, platform, log, tokens: this.#tokens },
          requestFeed: (shard) => this.hive.dial(shard),
          sent: (state, text) => this.#sent(state, text),
          wrong: (what) => this.wrong(what),
        }),
    );
  }

  get present(): Viewer[] {
    return this.viewers.filter((viewer) => !viewer.isOver);
  }

  wrong(what: string): void {
    this.tell(() => `WRONG ${what}`);
    this.wrongs.push(what);
  }

  tell(line: () => string): void {
    this.#trace?.(`${this.clock.now() - START_MS} ${line()}`);
  }

  addViewer(): void {
    const { clock, random, net } = this;
    const viewer = new Viewer(`viewer ${this.#viewers++}`, {
      ...{ clock, random, net, tokens: this.#tokens },
      dialled: (wire, url, token) => this.#dialled(wire, url, token),
      wrong: (what) => this.wrong(what),
    });
    this.viewers.push(viewer);
  }

  /** Time goes on, and whatever waits for a promise goes on with it. */
  async pass(forMs: number): Promise<void> {
    const untilMs = this.clock.now() + forMs;
    do await settled();
    while (this.clock.advanceToNext(untilMs));
  }

  /** The gateway's door, where a client's request arrives. */
  #dialled(wire: Wire, url: URL, token: string): void {
    const shard = this.random.pick(this.shards);
    if (this.isGatewayAway || !shard) {
      wire.far.abandon();
      wire.break(this.net.delayMs(), 0);
      return;
    }
    this.clock.after(this.net.delayMs(), () => {
      if (wire.isBroken) {
        wire.far.abandon();
        return;
      }
      try {
        const { hives: _, ...identity } = this.#tokens.verify(token, this.clock.now());
        const { epoch, offset, view, ...hello } = HelloQuery.parse(Object.fromEntries(url.searchParams));
        const position = epoch !== undefined && offset !== undefined ? { epoch, offset, view } : null;
        const refusal = shard.connect(wire.far, {
          ...hello,
          kind: "stream",
          dialect: "hivegate",
          identity,
          position,
        });
        if (refusal) throw new HivegateError("overloaded");
      } catch (thrown) {
        if (!(thrown instanceof HivegateError)) this.#log("session", thrown);
        this.#refuse(wire.far, asHivegateError(thrown));
      }
    });
  }

  #refuse(end: End, error: HivegateError): void {
    end.listen({ message() {}, closed() {} });
    if (end.isOpen) end.send(JSON.stringify(errorFrame(error, this.clock.now())));
    end.close(ERRORS[error.code].close, error.message);
  }

  #sent(state: SessionState, text: string): void {
    const { subject, scope } = state.identity;
    const named = !isWholeHive(scope) && text.includes(CONFIGURED_SERVER) ? CONFIGURED_SERVER : null;
    const leak = named ?? leakIn(text, state.identity, this.swarm.everWas);
    if (leak) this.wrong(`${subject} was told of ${leak}`);
    if (!this.#tokens.knows(subject, scope)) this.wrong(`${subject} has a scope that it was never given`);
  }

  /** A broken connection is no news here; anything that nobody foresaw is. */
  #log(message: string, error: unknown): void {
    this.tell(() => `log: ${message}: ${error}`);
    const isForeseen =
      error instanceof ConnectionLost ||
      error instanceof DOMException ||
      (error instanceof HivegateError && error.code !== "internal");
    if (!isForeseen) this.wrong(`${message}: ${error instanceof Error ? error.stack : error}`);
  }
}

const START_MS = new ManualClock().now();

/** Everything that can go on without time passing has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
