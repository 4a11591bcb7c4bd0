import { randomUUID } from "node:crypto";
import { type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { cancelledBy, isRequest, scanRpc } from "../../shared/relay/json-rpc.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import type { RelayAudit } from "./audit.ts";
import { HeldMessages, type Said } from "./held-messages.ts";
import { type ConnectionState, KeptConnection } from "./kept-connection.ts";
import type { RelayMetrics } from "./metrics.ts";
import type { Orchestrator } from "./orchestrator.ts";
import type { OpenSocket } from "./orchestrator-socket.ts";
import { RpcExchange } from "./rpc-exchange.ts";
import { methodsOf } from "./rpc-text.ts";
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

/** What one connection had, for another to go on with. */
export type Released = { sessions: RelaySession[]; waiting: Said[]; initialize: string | null };

const NOT_RPC =
  "Expected JSON-RPC 2.0: one message, or an array of a few. Use mode=dedicated for anything else.";
const NOT_SENT = "The orchestrator cannot be reached. The message was not sent.";
const STOPPING = "The service is restarting. The message was not sent.";
const CANCELLED = "The request was cancelled before it was sent.";

/**
 * One connection to an orchestrator for many clients, who all speak JSON-RPC (see `rpc-exchange.ts`). It is there while
 * it has sessions, or something of theirs to send. What is not yet handed to the socket waits for the connection to come back, and is sent once.
 */
export class SharedUpstream implements Upstream {
  readonly #options: SharedUpstreamOptions;
  readonly #sessions = new Set<RelaySession>();
  readonly #held: HeldMessages;
  #exchange: RpcExchange<RelaySession>;
  #connection: KeptConnection | null = null;
  #isRetired = false;
  #cancelDeadline: (() => void) | null = null;

  constructor(options: SharedUpstreamOptions) {
    this.#options = options;
    this.#exchange = this.#newExchange();
    this.#held = new HeldMessages({
      clock: this.#clock,
      expired: (waiting) => {
        this.#giveUp(waiting, "swarm_unavailable");
        this.#restIfIdle();
      },
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
    // Of those who said it all may have left.
    if (this.#held.size > 0 && !this.#connection) this.#connect();
  }

  /** What it said and is not sent yet still goes out. */
  leave(session: RelaySession): void {
    this.#sessions.delete(session);
    this.#exchange.forget(session);
    this.#restIfIdle();
  }

  send(session: RelaySession, message: RelayMessage): void {
    const said = { session, message };
    const socket = this.#socket;
    if (typeof message.data !== "string") this.#refuse(said, "invalid_request", NOT_RPC);
    else if (socket && this.#held.size === 0) this.#pass(socket, said, message.data);
    else if (this.state?.state === "circuit_open") this.#refuse(said, "circuit_open", NOT_SENT);
    else this.#hold(said, message.data);
  }

  drained(): void {
    // What one client does not read holds nothing back from the others.
  }

  declined(session: RelaySession, id: string): void {
    this.#exchange.declined(session, id);
  }

  /**
   * Lets go of its sessions, with what they still have to say. What was asked may be answered within so long; then it
   * is over. To be called once.
   */
  retire(withinMs: number): Released {
    const { initialize } = this.#exchange;
    const released = { sessions: [...this.#sessions], waiting: this.#held.takeAll(), initialize };
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
    for (const one of this.#held.takeAll()) this.#refuse(one, "shutting_down", STOPPING);
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
      clock: this.#clock,
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

  #restIfIdle(): void {
    if (this.#sessions.size === 0 && this.#held.size === 0 && !this.#isRetired) this.#disconnect();
  }

  #retired(): void {
    this.#disconnect();
    this.#options.onRetired();
  }

  #stateChanged(state: ConnectionState): void {
    for (const session of this.#sessions) session.notice(state);
    this.#options.onState(state);
    // Unless all of it was moved to another one.
    if (state.state !== "circuit_open") return;
    this.#giveUp(this.#held.takeAll(), "circuit_open");
    this.#restIfIdle();
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

  #pass(socket: OpenSocket, said: Said, text: string): void {
    const { session } = said;
    const outgoing = this.#exchange.outgoing(session, text);
    if (!outgoing) {
      this.#refuse(said, "invalid_request", NOT_RPC);
      return;
    }
    session.sent(text, outgoing.method, outgoing.outcome);
    const last = outgoing.texts.pop();
    for (const one of outgoing.texts) socket.send(one, () => {});
    if (last === undefined) session.passedOn(text);
    else socket.send(last, () => session.passedOn(text));
    if (!this.#sessions.has(session)) this.#exchange.forget(session);
  }

  #hold(said: Said, text: string): void {
    const { session, message } = said;
    const cancelled = cancelledIn(text);
    const requests = cancelled === null ? [] : this.#held.takeRequests(session, cancelled);
    if (requests.length > 0) {
      for (const request of requests) this.#refuse(request, "swarm_unavailable", CANCELLED);
      session.sent(text, methodsOf(scanRpc(text)?.parts ?? []));
      session.passedOn(text);
      return;
    }
    // What it cancels may wait here in a batch, which it must not overtake.
    const isEarly = cancelled !== null && !this.#exchange.isWaiting(session, cancelled);
    if (!this.#held.hold(said, text, message.urgent && !isEarly)) this.#refuse(said, "overloaded", NOT_SENT);
  }

  #flush(): void {
    for (let socket = this.#socket; socket && this.#held.size > 0; socket = this.#socket) {
      const next = this.#held.shift();
      if (next) this.#pass(socket, next, String(next.message.data));
    }
    this.#restIfIdle();
  }

  #giveUp(waiting: Said[], code: ErrorCode): void {
    for (const one of waiting) this.#refuse(one, code, NOT_SENT);
  }

  /** Nothing of the message was sent: each of its requests is answered by an error. */
  #refuse({ session, message: { data } }: Said, code: ErrorCode, why: string): void {
    const parts = (typeof data === "string" && scanRpc(data)?.parts) || [];
    const error = new HivegateError(code, why);
    const ids = parts.filter(isRequest).map(({ id }) => id);
    for (const id of ids.length > 0 ? ids : [null]) session.refuse(id, error);
    session.audit("to_orchestrator", data, methodsOf(parts), code);
    session.passedOn(data);
  }
}

/** The id (raw JSON) that this cancels, if it is a single cancellation. */
function cancelledIn(text: string): string | null {
  const message = scanRpc(text);
  const [part] = message && !message.isBatch ? message.parts : [];
  const id = part && cancelledBy(text, part);
  return id ? text.slice(id.start, id.end) : null;
}
