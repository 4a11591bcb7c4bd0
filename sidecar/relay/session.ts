import type { Clock } from "../../shared/clock.ts";
import { ERRORS, HivegateError } from "../../shared/errors.ts";
import { Channel, costOf, type GivenUp } from "../../shared/relay/channel.ts";
import type { HoldTotal } from "../../shared/relay/hold-queue.ts";
import { isAnswer, isRequest, scanRpc } from "../../shared/relay/json-rpc.ts";
import type { Link } from "../../shared/relay/link.ts";
import type { RelayClient, RelayMessage, RelayMode } from "../../shared/relay/records.ts";
import type { AuditLine, RelayAudit } from "./audit.ts";
import type { ConnectionState } from "./kept-connection.ts";
import type { Direction, RelayMetrics } from "./metrics.ts";

/** What a session sends to: a connection of its own, or one that it shares. */
export type Upstream = {
  /** What the session's client sent. Calls the session's `passedOn` once for each, sooner or later. */
  send(session: RelaySession, message: RelayMessage): void;
  /** The client has read what was held for it. */
  drained(session: RelaySession): void;
  /** The client will not hear of this request of the orchestrator's; its id, raw JSON, as it was delivered. */
  declined(session: RelaySession, id: string): void;
  /** The client is gone. */
  leave(session: RelaySession, code: number, reason: string): void;
};

export type SessionOptions = {
  number: number;
  mode: RelayMode;
  client: RelayClient;
  link: Pick<Link, "send">;
  /** What all sessions hold together. */
  total: HoldTotal;
  clock: Clock;
  metrics: RelayMetrics;
  audit: Pick<RelayAudit, "write">;
  /** The session is over by our doing. */
  onEnd(session: RelaySession): void;
};

/** One client's end of the relay: a channel of a link, and where its messages go. */
export class RelaySession {
  readonly mode: RelayMode;
  readonly client: RelayClient;
  /** Where its messages go; null until it has joined one. */
  upstream: Upstream | null = null;
  readonly #options: SessionOptions;
  readonly #channel: Channel;
  #isOver = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.mode = options.mode;
    this.client = options.client;
    this.#channel = new Channel({
      ...options,
      gaveUp: (message, why) => this.#gaveUp(message, why),
      onDrained: () => this.upstream?.drained(this),
    });
  }

  /** Its client does not read what there is: whoever can be stopped should be. */
  get isBlocked(): boolean {
    return this.#channel.held > 0;
  }

  receive(message: RelayMessage): void {
    if (this.upstream) this.upstream.send(this, message);
    else this.passedOn(message.data);
  }

  /** A message of the client's went to the orchestrator, or was refused as a whole. */
  sent(data: string | Uint8Array, method: string | null, outcome: AuditLine["outcome"] = "passed"): void {
    if (outcome === "passed") this.#options.metrics.passed("to_orchestrator", data);
    this.audit("to_orchestrator", data, method, outcome);
  }

  /** A message for the client. */
  deliver(data: string | Uint8Array, method: string | null): void {
    if (this.#isOver) return;
    this.#options.metrics.passed("to_client", data);
    this.audit("to_client", data, method, "passed");
    this.#channel.send({ data, urgent: false });
  }

  /** A message that is for all: its one line in the audit is not ours to write. */
  deliverToAll(data: string | Uint8Array): void {
    if (this.#isOver) return;
    this.#options.metrics.passed("to_client", data);
    this.#channel.send({ data, urgent: false });
  }

  /** What the client sent is where it should go, or will not get there: it may send as much again. */
  passedOn(data: string | Uint8Array): void {
    if (!this.#isOver) this.#channel.passedOn(costOf(data));
  }

  /** A message was not passed on, or the request with this id (raw JSON; null: none) will not be answered. */
  refuse(id: string | null, error: HivegateError): void {
    if (this.#isOver) return;
    const { link, number, metrics } = this.#options;
    metrics.refused(error.code);
    link.send({ type: "refused", channel: number, id, code: error.code, message: error.message });
  }

  notice(state: ConnectionState): void {
    if (this.#isOver) return;
    const { link, number, clock } = this.#options;
    const type = state.state === "connected" ? "orchestrator_connected" : "orchestrator_disconnected";
    link.send({ type: "notice", channel: number, notice: { type, ...state, timestamp: clock.now() } });
  }

  audit(
    direction: Direction,
    data: string | Uint8Array,
    method: string | null,
    outcome: AuditLine["outcome"],
  ): void {
    this.#options.audit.write({ client: this.client, direction, data, method, outcome });
  }

  credited(bytes: number): void {
    this.#channel.credited(bytes);
  }

  linkHasRoom(): void {
    this.#channel.drain();
  }

  /** Ends it from this side; `code` is a WebSocket close code. */
  end(code: number, reason: string): void {
    if (this.#isOver) return;
    const { link, number, onEnd } = this.#options;
    link.send({ type: "close", channel: number, code, reason });
    this.over(code, reason);
    onEnd(this);
  }

  /** Ended from the other side, or with the link. */
  over(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#channel.close();
    this.upstream?.leave(this, code, reason);
    this.upstream = null;
  }

  /** A message for a client that did not read: a part of a byte-for-byte conversation cannot be left out of it. */
  #gaveUp({ data }: RelayMessage, why: GivenUp): void {
    this.audit("to_client", data, null, why);
    if (this.mode === "dedicated") {
      this.#options.metrics.refused("slow_consumer");
      this.end(ERRORS.slow_consumer.close, ERRORS.slow_consumer.advice);
      return;
    }
    const parts = typeof data === "string" ? (scanRpc(data)?.parts ?? []) : [];
    for (const { id } of parts.filter(isRequest)) this.upstream?.declined(this, id);
    const error = new HivegateError(why, "A message was dropped: it was not read in time. Read faster.");
    const answers = parts.filter(isAnswer).map(({ id }) => id);
    for (const id of answers.length > 0 ? answers : [null]) this.refuse(id, error);
  }
}
