import { randomUUID } from "node:crypto";
import { type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { costOf } from "../../shared/relay/channel.ts";
import { isRequest, scanRpc } from "../../shared/relay/json-rpc.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { TimedHold } from "../../shared/relay/timed-hold.ts";
import type { RelayAudit } from "./audit.ts";
import { type ConnectionState, KeptConnection } from "./kept-connection.ts";
import type { RelayMetrics } from "./metrics.ts";
import type { Orchestrator } from "./orchestrator.ts";
import type { OpenSocket } from "./orchestrator-socket.ts";
import { RpcExchange } from "./rpc-exchange.ts";
import type { RelaySession, Upstream } from "./session.ts";

export type SharedUpstreamOptions = {
  orchestrator: Orchestrator;
  metrics: RelayMetrics;
  audit: Pick<RelayAudit, "write">;
  /** The connection's state changed: whoever balances may want to move its sessions. */
  onState(state: ConnectionState): void;
  /** After `retire`: the last answer came, or the time for it is over. */
  onRetired(): void;
};

/** A message that waits for the orchestrator. */
type Waiting = { session: RelaySession; message: RelayMessage };

/** What one connection had, for another to go on with. */
export type Released = { sessions: RelaySession[]; waiting: Waiting[]; initialize: string | null };

const HELD_LIMITS = { bytes: LIMITS.orchestratorHeldBytes, ageMs: LIMITS.relayHeldMs };

const NOT_RPC =
  "Expected JSON-RPC 2.0: one message, or an array of a few. Use mode=dedicated for anything else.";
const NOT_SENT = "The orchestrator cannot be reached. The message was not sent.";

/**
 * One connection to an orchestrator for many clients, who all speak JSON-RPC (see `rpc-exchange.ts`). It is there while
 * it has sessions. What is not yet handed to the socket waits for the connection to come back, and is sent once.
 */
export class SharedUpstream implements Upstream {
  readonly #options: SharedUpstreamOptions;
  readonly #sessions = new Set<RelaySession>();
  readonly #held: TimedHold<Waiting>;
  #exchange = this.#newExchange();
  #connection: KeptConnection | null = null;
  #isRetired = false;
  #cancelDeadline: (() => void) | null = null;

  constructor(options: SharedUpstreamOptions) {
    this.#options = options;
    this.#held = new TimedHold({
      limits: HELD_LIMITS,
      clock: this.#clock,
      expired: (waiting) => this.#giveUp(waiting, "swarm_unavailable"),
    });
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Requests that wait for their answers. */
  get pending(): number {
    return this.#exchange.pending;
  }

  /** Null while nobody needs it. */
  get state(): ConnectionState | null {
    return this.#connection?.state ?? null;
  }

  /** Retired, and nothing is left to wait for. */
  get isOver(): boolean {
    return this.#isRetired && !this.#connection;
  }

  join(session: RelaySession): void {
    this.#sessions.add(session);
    session.upstream = this;
    if (this.#connection) session.notice(this.#connection.state);
    else this.#connect();
  }

  /** Takes over what another one released. */
  adopt({ sessions, waiting, initialize }: Released): void {
    this.#exchange.initialize ??= initialize;
    for (const session of sessions) this.join(session);
    for (const { session, message } of waiting) this.send(session, message);
  }

  leave(session: RelaySession): void {
    this.#sessions.delete(session);
    this.#held.takeOut((waiting) => waiting.session === session);
    this.#exchange.forget(session);
    if (this.#sessions.size === 0) this.#disconnect();
  }

  send(session: RelaySession, message: RelayMessage): void {
    const waiting = { session, message };
    const socket = this.#socket;
    if (typeof message.data !== "string") this.#refuse(waiting, "invalid_request", NOT_RPC);
    else if (socket && this.#held.size === 0) this.#pass(socket, waiting);
    else if (this.state?.state === "circuit_open") this.#refuse(waiting, "circuit_open", NOT_SENT);
    else this.#hold(waiting);
  }

  drained(): void {
    // What one client does not read holds nothing back from the others.
  }

  /**
   * Lets go of its sessions, with what they still have to say. What was asked may be answered within so long; then it
   * is over. To be called once.
   */
  retire(withinMs: number): Released {
    const { initialize } = this.#exchange;
    const released = { sessions: [...this.#sessions], waiting: this.#held.takeOut(), initialize };
    this.#isRetired = true;
    this.#sessions.clear();
    this.#exchange.forgetAsked();
    for (const session of released.sessions) session.notice({ state: "draining" });
    if (this.pending === 0 || !this.#connection?.socket) this.#retired();
    else this.#cancelDeadline = this.#clock.after(withinMs, () => this.#retired());
    return released;
  }

  /** At once. */
  close(): void {
    this.#disconnect();
  }

  get #clock() {
    return this.#options.orchestrator.options.clock;
  }

  /** A socket that takes messages. */
  get #socket(): OpenSocket | null {
    const socket = this.#connection?.socket ?? null;
    return socket?.isStuffed ? null : socket;
  }

  #newExchange(): RpcExchange<RelaySession> {
    return new RpcExchange<RelaySession>({
      prefix: `hivegate-${randomUUID().slice(0, 8)}-`,
      nowMs: () => performance.now(),
      reply: (text) => this.#connection?.socket?.send(text, () => {}),
      toAll: (text, method) => this.#toAll(text, method),
      newestClient: () => [...this.#sessions].at(-1) ?? null,
      greeted: (next) => this.#ready(next),
      answered: (durationMs) => this.#options.metrics.answered(durationMs),
      unclaimed: () => this.#options.metrics.unclaimed++,
    });
  }

  #connect(): void {
    const connection = new KeptConnection(this.#options.orchestrator, {
      onOpen: (socket) => this.#opened(socket),
      onMessage: (data) => this.#received(data),
      onRoom: () => this.#flush(),
      onLost: () => this.#lost(),
      onState: (state) => this.#stateChanged(state),
    });
    this.#connection = connection;
    connection.start();
  }

  #disconnect(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
    this.#connection?.stop();
    this.#connection = null;
    this.#exchange.lost();
    this.#exchange = this.#newExchange();
  }

  #retired(): void {
    this.#disconnect();
    this.#options.onRetired();
  }

  #stateChanged(state: ConnectionState): void {
    for (const session of this.#sessions) session.notice(state);
    this.#options.onState(state);
    // Unless all of it was moved to another one.
    if (state.state === "circuit_open") this.#giveUp(this.#held.takeOut(), "circuit_open");
  }

  #opened(socket: OpenSocket): void {
    const greeting = this.#exchange.greeting();
    if (greeting === null) {
      this.#ready(null);
      return;
    }
    socket.send(greeting, () => {});
    const { connectTimeoutMs } = this.#options.orchestrator.options.rules;
    this.#cancelDeadline = this.#clock.after(connectTimeoutMs, () => this.#connection?.drop());
  }

  /** `first` goes before all that waits. */
  #ready(first: string | null): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
    this.#connection?.ready();
    if (first !== null) this.#connection?.socket?.send(first, () => {});
    this.#flush();
  }

  #lost(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
    this.#exchange.lost();
    if (this.#isRetired) this.#retired();
  }

  #received(data: string | Uint8Array): void {
    if (typeof data !== "string") this.#toAll(data, null);
    else this.#exchange.incoming(data);
    if (this.#isRetired && this.pending === 0) this.#retired();
  }

  #toAll(data: string | Uint8Array, method: string | null): void {
    const { audit } = this.#options;
    audit.write({ client: null, direction: "to_client", data, method, outcome: "passed" });
    for (const session of this.#sessions) session.deliverToAll(data);
  }

  #pass(socket: OpenSocket, waiting: Waiting): void {
    const { session } = waiting;
    const text = String(waiting.message.data);
    const outgoing = this.#exchange.outgoing(session, text);
    if (!outgoing) {
      this.#refuse(waiting, "invalid_request", NOT_RPC);
      return;
    }
    session.sent(text, outgoing.method, outgoing.outcome);
    const last = outgoing.texts.pop();
    for (const one of outgoing.texts) socket.send(one, () => {});
    if (last === undefined) session.passedOn(text);
    else socket.send(last, () => session.passedOn(text));
  }

  #hold(waiting: Waiting): void {
    const { data, urgent } = waiting.message;
    if (!this.#held.hold(waiting, { bytes: costOf(data), urgent }))
      this.#refuse(waiting, "overloaded", NOT_SENT);
  }

  #flush(): void {
    for (let socket = this.#socket; socket && this.#held.size > 0; socket = this.#socket) {
      const next = this.#held.shift();
      if (next) this.#pass(socket, next);
    }
  }

  #giveUp(waiting: Waiting[], code: ErrorCode): void {
    for (const one of waiting) this.#refuse(one, code, NOT_SENT);
  }

  /** Nothing of the message was sent: each of its requests is answered by an error. */
  #refuse({ session, message: { data } }: Waiting, code: ErrorCode, why: string): void {
    const parts = (typeof data === "string" && scanRpc(data)?.parts) || [];
    const error = new HivegateError(code, why);
    const ids = parts.filter(isRequest).map(({ id }) => id);
    for (const id of ids.length > 0 ? ids : [null]) session.refuse(id, error);
    session.audit("to_orchestrator", data, parts[0]?.method ?? null, code);
    session.passedOn(data);
  }
}
