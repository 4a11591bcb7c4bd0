/** The relay part of a shard: its clients as channels of one link to the sidecar, which is there while they are. */
import type { Clock } from "../../shared/clock.ts";
import { pause } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Link } from "../../shared/relay/link.ts";
import type { OrchestratorNotice, RelayRecord } from "../../shared/relay/records.ts";
import { clientCloseCode, closeReason } from "./close-code.ts";
import { noCounts, type RelayCounts, type RelayFigures } from "./figures.ts";
import { type Dial, Line, type LineState } from "./line.ts";
import { type Joining, newClient, type RelayedClient } from "./relayed-client.ts";
import type { RelaySettings } from "./settings.ts";
import { isTooLarge } from "./size.ts";

export type RelayPorts = {
  clock: Clock;
  random(): number;
  uuid(): string;
  settings: RelaySettings;
  dial: Dial;
  /** See `LinePorts`. */
  soon(flush: () => void): void;
  /** What was refused, for whoever runs the gateway. */
  audit(refused: { client: string; subject: string; name: string; code: ErrorCode }): void;
  log(message: string, error: unknown): void;
};

/** What a shard has of a client that joined. */
export type Membership = {
  readonly client: RelayedClient;
  /** What the client sent. False: it is not for the orchestrator. */
  receive(data: string | ArrayBuffer): boolean;
  /**
   * The client is gone; how it closed its connection, if that is known. What it said and has to wait still goes its
   * way, but not for long.
   */
  leave(code?: number, reason?: string): void;
  /** The session was ended by us: what waits is given up. */
  end(code: number, reason: string): void;
};

type Closing = { code: number; reason: string };

type Member = {
  /** Of its channel. */
  number: number;
  /** Whether the sidecar was told of that. */
  isOpen: boolean;
  readonly joining: Joining;
  readonly client: RelayedClient;
  /** What the sidecar said last of its orchestrator. */
  notice: OrchestratorNotice | null;
  /** Once its client is gone: how its channel is closed when nothing waits any more, and when at the latest. */
  leaving: (Closing & { untilMs: number }) | null;
};

/** For clients whose connections broke off. */
const GOING_AWAY = 1001;

/** How often what waits for time to pass is looked at. */
const TICK_MS = 20;

export class Relay {
  readonly #ports: RelayPorts;
  readonly #members = new Map<number, Member>();
  readonly #busy = new Set<RelayedClient>();
  readonly #leaving = new Set<Member>();
  readonly #counts: RelayCounts = noCounts();
  readonly #total = { bytes: 0, limitBytes: LIMITS.relayShardHeldBytes };
  /** No number is used twice on one link. */
  #lastNumber = 0;
  #line: Line | null = null;
  #lineState: LineState = { state: "connecting" };
  #isTicking = false;
  #cancelLinger: (() => void) | null = null;

  constructor(ports: RelayPorts) {
    this.#ports = ports;
  }

  get figures(): RelayFigures {
    const all = [...this.#members.values()].map(({ client }) => client);
    const sum = (of: (client: RelayedClient) => number) => all.reduce((total, each) => total + of(each), 0);
    const here = [...this.#members.values()].filter(({ leaving }) => !leaving);
    const dedicated = here.filter(({ client }) => client.mode === "dedicated").length;
    return {
      ...{ ...this.#counts, shared: here.length - dedicated, dedicated },
      pending: sum(({ pending }) => pending),
      held: sum(({ pipe }) => pipe.held),
      heldBytes: sum(({ pipe }) => pipe.heldBytes),
      linkUp: this.#line?.link.isUp === true,
    };
  }

  join(joining: Joining): Membership {
    this.#cancelLinger?.();
    this.#cancelLinger = null;
    this.#line ??= this.#newLine();
    const number = ++this.#lastNumber;
    const { clock, settings, audit } = this.#ports;
    const { id, subject } = joining.client;
    const client: RelayedClient = newClient(joining, number, {
      ...{ clock, settings, counts: this.#counts, total: this.#total, link: this.#sender(this.#line) },
      audit: (refused) => audit({ client: id, subject, ...refused }),
      busy: () => this.#makeBusy(client),
    });
    const member: Member = { number, isOpen: false, joining, client, notice: null, leaving: null };
    this.#members.set(number, member);
    if (this.#line.link.isUp) this.#open(member);
    else if (this.#lineState.state !== "connecting") this.#tellLine(member);
    return {
      client,
      receive(data) {
        if (!isTooLarge(data)) return client.receive(typeof data === "string" ? data : new Uint8Array(data));
        joining.end.end("frame_too_large");
        return true;
      },
      leave: (code = GOING_AWAY, reason = "") => this.#leave(member, { code, reason }),
      end: (code, reason) => this.#remove(member, { code, reason }),
    };
  }

  /** Lets requests be answered and messages go out, for so long at most; new ones are refused meanwhile. */
  async drain(limitMs: number): Promise<void> {
    const { clock } = this.#ports;
    for (const { client } of this.#members.values()) client.drain();
    const untilMs = clock.now() + limitMs;
    const isBusy = () => this.figures.pending + this.figures.held > 0;
    while (isBusy() && clock.now() < untilMs) await pause(clock, TICK_MS);
  }

  /** Says goodbye to the sidecar, which then need not wait for the link to come back. */
  close(): void {
    this.#cancelLinger?.();
    this.#line?.close(1000, "nobody is left");
    this.#line = null;
  }

  #newLine(): Line {
    const { clock, random, uuid, dial, soon, log } = this.#ports;
    this.#lineState = { state: "connecting" };
    return new Line({
      ...{ clock, random, dial, soon, log, counts: this.#counts },
      newInstance: uuid,
      received: (record) => this.#received(record),
      onReset: () => this.#reset(),
      onRoom: () => this.#each(({ client }) => client.pipe.drain()),
      changed: (state) => this.#lineChanged(state),
    });
  }

  /**
   * Messages wait with their clients while the link is down, where urgent ones come first: of those that the link
   * took nobody could say, when the sidecar has forgotten them, whether they were passed on.
   */
  #sender({ link }: Line): Pick<Link, "send"> {
    return { send: (record) => (record.type === "message" && !link.isUp ? "full" : link.send(record)) };
  }

  /** Once the link is up: what it was given before might have to be given up. */
  #open(member: Member): void {
    const { client, mode } = member.joining;
    member.isOpen = true;
    this.#line?.link.send({ type: "open", channel: member.number, mode, client });
  }

  #leave(member: Member, closing: Closing): void {
    if (member.leaving) return;
    if (!this.#isMember(member) || member.client.pipe.held === 0) {
      this.#remove(member, closing);
      return;
    }
    member.client.pipe.leave();
    member.leaving = { ...closing, untilMs: this.#ports.clock.now() + LIMITS.relayLeavingMs };
    this.#leaving.add(member);
    this.#tickSoon();
  }

  #remove(member: Member, closing: Closing): void {
    const { number, client } = member;
    client.pipe.close();
    this.#busy.delete(client);
    this.#leaving.delete(member);
    if (this.#isMember(member)) {
      this.#members.delete(number);
      if (member.isOpen) this.#line?.link.send({ type: "close", channel: number, ...closing });
    }
    if (this.#members.size === 0) this.#lingerOn();
  }

  #isMember(member: Member): boolean {
    return this.#members.get(member.number) === member;
  }

  /** Clients that come back soon find the link still there. */
  #lingerOn(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = this.#ports.clock.after(LIMITS.relayLingerMs, () => this.close());
  }

  #received(record: RelayRecord): void {
    if (record.type === "goaway") {
      this.#lineState = { state: "draining" };
      this.#each((member) => this.#tellLine(member));
      return;
    }
    const member = this.#members.get(record.channel);
    // It has left, and the sidecar had not heard of it.
    if (!member) return;
    const { client, joining } = member;
    switch (record.type) {
      case "message":
        client.give(record.data);
        break;
      case "credit":
        client.pipe.credited(record.bytes);
        break;
      case "refused":
        client.refused(record);
        break;
      case "notice":
        member.notice = record.notice;
        if (client.hearsNotices) joining.end.tell(record.notice);
        break;
      case "close":
        this.#members.delete(member.number);
        this.#remove(member, record);
        joining.end.close(clientCloseCode(record.code), closeReason(record.reason));
        break;
      case "open":
        break;
    }
  }

  /** The sidecar does not know the channels any more: each is opened anew once the link is up, or ends with its client. */
  #reset(): void {
    this.#counts.resets++;
    this.#each((member) => {
      if (!member.isOpen) return;
      this.#members.delete(member.number);
      Object.assign(member, { number: ++this.#lastNumber, isOpen: false, notice: null });
      this.#members.set(member.number, member);
      member.client.reset(member.number);
    });
  }

  #lineChanged(state: LineState): void {
    this.#lineState = state;
    this.#each((member) => {
      if (state.state === "connected") {
        if (!member.isOpen) this.#open(member);
        member.client.pipe.drain();
      }
      this.#tellLine(member);
    });
  }

  /** A link that is back brings what the sidecar said last, unless that is about to say something new. */
  #tellLine({ client, joining, notice }: Member): void {
    if (!client.hearsNotices) return;
    const { state, attempt, delayMs } = this.#lineState;
    const timestamp = this.#ports.clock.now();
    if (state === "connected") {
      if (notice) joining.end.tell({ ...notice, timestamp });
      return;
    }
    joining.end.tell({
      ...{ type: "orchestrator_disconnected", state, timestamp },
      ...(attempt !== undefined && { attempt }),
      ...(delayMs !== undefined && { delay_ms: delayMs }),
    });
  }

  /** Each may leave meanwhile. */
  #each(then: (member: Member) => void): void {
    for (const member of [...this.#members.values()]) if (this.#isMember(member)) then(member);
  }

  #makeBusy(client: RelayedClient): void {
    this.#busy.add(client);
    this.#tickSoon();
  }

  #tickSoon(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#ports.clock.after(TICK_MS, () => {
      this.#isTicking = false;
      this.#tick();
    });
  }

  /** One timer for all who wait for their rate, or have something to read. */
  #tick(): void {
    const nowMs = this.#ports.clock.now();
    const busy = [...this.#busy];
    this.#busy.clear();
    for (const client of busy) if (client.pipe.tick(nowMs)) this.#makeBusy(client);
    for (const member of [...this.#leaving]) this.#tickLeaving(member, nowMs);
    if (this.#leaving.size > 0) this.#tickSoon();
  }

  #tickLeaving(member: Member, nowMs: number): void {
    const { client, leaving } = member;
    client.pipe.tick(nowMs);
    if (!leaving || (client.pipe.held > 0 && nowMs < leaving.untilMs)) return;
    this.#counts.givenUp += client.pipe.held;
    this.#remove(member, leaving);
  }
}
