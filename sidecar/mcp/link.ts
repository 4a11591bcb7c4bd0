import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Logger } from "../log.ts";
import { isHasty } from "./exchange-time.ts";
import { shakeHands } from "./handshake.ts";
import { type Asker, JsonRpcSession, type Notification } from "./json-rpc-session.ts";
import { ListChanges, listenFor } from "./list-changes.ts";
import { LostConnection } from "./lost-connection.ts";
import { paramsFor, progressTokenIn } from "./request-params.ts";
import { ServerQuestions } from "./server-questions.ts";
import type { Era, Exchange, ServerInfo } from "./upstream.ts";
import type { OpenWire, Outgoing, Wire } from "./wire.ts";

export type LinkOptions = {
  /** The server's name, for the log. */
  name: string;
  wire: OpenWire;
  /** Sent in an `authenticate` line before anything else; null where the server wants none. */
  token: string | null;
  /** In which era's words it is greeted first. */
  era: Era;
  /** For each step: the connection, `authenticate`, the greeting. */
  connectTimeoutMs: number;
  newId: () => string;
  /** Ends the link at any time, the opening included. */
  signal: AbortSignal;
  log: Logger;
  onNotification(notification: Notification): void;
  /** Nothing was heard while a client waited: whether the server answers a ping says how it is. */
  onSilent(ping: () => Promise<unknown>): Promise<unknown>;
  /** The server may have changed, and it was not heard of. */
  onMissed(): void;
  /** Called once when an open link is over, for whatever reason. */
  onOver(link: McpLink): void;
};

/** So many timeouts one after the other, with not a word from the server in between: it is taken for dead. */
const SILENT_ROUNDS = 3;

/**
 * One connection to one MCP server, from its opening to its end: the handshake, the answers, the timeouts. When it is
 * over it stays over; `McpConnection` opens the next one.
 */
export class McpLink {
  readonly #options: LinkOptions;
  readonly #session: JsonRpcSession;
  readonly #questions: ServerQuestions;
  #wire: Wire | null = null;
  #info: ServerInfo | null = null;
  #changes: ListChanges | null = null;
  #silentRounds = 0;

  /** @throws whatever went wrong, for the log: an error of the system's or a HivegateError */
  static async open(options: LinkOptions): Promise<McpLink> {
    const link = new McpLink(options);
    const wire = await options.wire(
      {
        onMessage: (message, stream) => link.#hear(message, stream),
        onLost: (id, why) => link.#lost(id, why),
        onClose: (cause) => link.#over(cause),
      },
      options.signal,
      options.connectTimeoutMs,
    );
    link.#wire = wire;
    try {
      await link.#greet(wire);
      // A server may greet and refuse in one breath.
      if (!link.isOpen) throw new HivegateError("mcp_unavailable");
    } catch (error) {
      await wire.close();
      throw error;
    }
    return link;
  }

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#session = new JsonRpcSession(options.newId, () => performance.now());
    this.#questions = new ServerQuestions((answer) => this.#reply(answer));
  }

  get isOpen(): boolean {
    return this.#wire?.isOpen ?? false;
  }

  /** What the server said of itself when it was connected to; null until then. */
  get info(): ServerInfo | null {
    return this.#info;
  }

  get counters(): { unknownIds: number; strangeLines: number; unclearLogs: number } {
    const { unknownIds, strangeLines, unclearLogs } = this.#session;
    return { unknownIds, strangeLines, unclearLogs };
  }

  /**
   * The server's answer, an error too. `exchange` is what belongs to a client's request; null: it is our own.
   * @param timeoutMs may be Infinity
   * @throws HivegateError `mcp_failed` (it cannot be read), `mcp_unavailable`, `timeout`, `overloaded`; or the reason of
   * the exchange's signal
   */
  ask(request: McpRequest, timeoutMs: number, exchange: Exchange | null = null): Promise<McpAnswer> {
    const wire = this.#wire;
    if (!wire?.isOpen) return Promise.reject(new LostConnection(null, { wasRefused: true }));
    // A server that does not read must not make us hold what it leaves.
    if (wire.unsentBytes > LIMITS.mcpUnsentBytes) return Promise.reject(new HivegateError("overloaded"));
    if (exchange?.signal.aborted) return Promise.reject(exchange.signal.reason);
    if (exchange && this.#changes?.keep(performance.now())) this.#options.onMissed();
    return new Promise((resolve, reject) =>
      this.#send(wire, request, { timeoutMs, exchange, resolve, reject }),
    );
  }

  /** Something that expects no answer; nothing where the link is over. */
  notify({ method, params }: Notification): void {
    this.#wire?.send({ jsonrpc: "2.0", method, params });
  }

  /** Fails what waits for an answer with `reason`, and hangs up. Resolves when nothing is left of it. */
  async close(reason: HivegateError): Promise<void> {
    this.#session.failAll(reason);
    await this.#wire?.close();
  }

  #send(
    wire: Wire,
    { method, params }: McpRequest,
    asked: { timeoutMs: number; exchange: Exchange | null } & Pick<Asker, "resolve" | "reject">,
  ): void {
    const { timeoutMs, exchange, resolve, reject } = asked;
    const round = this.#silentRounds;
    const timer = timeoutMs === Infinity ? null : setTimeout(() => late(), timeoutMs);
    const asker: Asker = {
      method,
      exchange,
      progressToken: exchange ? progressTokenIn(params) : undefined,
      resolve: (answer) => {
        end();
        resolve(answer);
      },
      reject: (error) => {
        end();
        reject(error);
      },
      progressed: () => void timer?.refresh(),
    };
    const era = this.#info?.era ?? "2025";
    const message = this.#session.ask((id) => paramsFor(id, params, { era, trace: exchange?.trace }), asker);

    const end = () => {
      if (timer) clearTimeout(timer);
      exchange?.signal.removeEventListener("abort", abort);
      if (exchange?.onRequest) this.#questions.over(asker);
    };
    const abort = () => {
      this.#giveUp(message.id, asker, "the client no longer wants it");
      asker.reject(exchange?.signal.reason);
    };
    const late = () => {
      // While its client thinks about a question the server cannot go on: that has a time of its own.
      if (this.#questions.isOpen(asker)) return void timer?.refresh();
      this.#giveUp(message.id, asker, "it took too long");
      asker.reject(new HivegateError("timeout"));
      if (!exchange || !isHasty(exchange)) this.#heardNothing(round, exchange !== null);
    };
    exchange?.signal.addEventListener("abort", abort);
    try {
      wire.send(message);
    } catch (error) {
      this.#session.fail(message.id, asHivegateError(error));
    }
  }

  /** Tells the server that the answer is not wanted any more, where it was a client who wanted it. */
  #giveUp(id: string, { exchange }: Asker, reason: string): void {
    const wire = this.#wire;
    if (wire?.abandon) this.#session.forget(id);
    else this.#session.giveUp(id);
    // Whoever asks for itself, as telemetry does, is not worth an old server's confusion.
    const tells = exchange && !(this.#info?.era === "2026" && wire?.abandon);
    if (tells && wire?.isOpen && wire.unsentBytes <= LIMITS.mcpUnsentBytes) {
      this.notify({ method: "notifications/cancelled", params: { requestId: id, reason } });
      // It reads one after the other: once it answers this it has heard that.
      if (!wire.abandon)
        this.#ping().then(
          () => this.#session.cancelled(id),
          () => {},
        );
    }
    wire?.abandon?.(id);
  }

  #ping(): Promise<McpAnswer> {
    const timeoutMs = Math.min(this.#options.connectTimeoutMs, LIMITS.mcpConnectTimeoutMs);
    return this.ask({ method: "ping", params: {} }, timeoutMs);
  }

  async #greet(wire: Wire): Promise<void> {
    const { token, era, connectTimeoutMs } = this.#options;
    const info = await shakeHands({
      token,
      first: era,
      timeoutMs: connectTimeoutMs,
      probeMs: LIMITS.mcpProbeMs,
      ask: (request, timeoutMs) => this.ask(request, timeoutMs),
    });
    this.#info = info;
    wire.agreed?.(info.protocolVersion);
    if (info.era === "2025") wire.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    const listen = listenFor(info);
    if (!listen) return;
    this.#changes = new ListChanges(listen, (request) => this.ask(request, Infinity));
    this.#changes.keep(performance.now());
  }

  /** One server's words must do no harm to the others: what we cannot cope with costs it its connection. */
  #hear(message: unknown, stream: string | undefined): void {
    try {
      this.#received(message, stream);
    } catch (error) {
      this.#warn("what the MCP server says cannot be handled: its connection is closed", { err: error });
      void this.#wire?.close();
    }
  }

  #received(message: unknown, stream: string | undefined): void {
    this.#silentRounds = 0;
    const received = this.#session.receive(message, stream);
    switch (received.kind) {
      case "notification":
        this.#options.onNotification(received.notification);
        break;
      case "question":
        this.#questions.answer(received.question);
        break;
      case "withdrawn":
        this.#questions.withdraw(received.id);
        break;
      case "refused":
        // Once it has greeted us, that is a log line which went astray.
        if (this.#info) break;
        this.#warn("the MCP server refused the connection", { reason: received.reason });
        void this.#wire?.close();
        break;
    }
  }

  /** The server may have been started anew, and where there is no session nothing else tells of it. */
  #lost(id: string, why: HivegateError): void {
    if (this.#info && why instanceof LostConnection && this.#wire?.hasSession === false)
      this.#options.onMissed();
    this.#session.fail(id, why);
  }

  /** A server that asks without reading the answers must not make us hold them. */
  #reply(answer: Outgoing): void {
    const wire = this.#wire;
    if (!wire?.isOpen) return;
    if (wire.unsentBytes <= LIMITS.mcpUnsentBytes) {
      wire.send(answer);
      return;
    }
    this.#warn("the MCP server asks and does not read the answers: its connection is closed");
    void wire.close();
  }

  /**
   * Calls of one round that end together are one sign of silence, not many. A server that is only slow at what it does
   * still answers a ping, or says that it knows none.
   */
  #heardNothing(round: number, isClients: boolean): void {
    if (round !== this.#silentRounds) return;
    this.#silentRounds++;
    if (this.#silentRounds < SILENT_ROUNDS) {
      (isClients ? this.#options.onSilent(() => this.#ping()) : this.#ping()).catch(() => {});
      return;
    }
    this.#warn("the MCP server answers nothing: its connection is closed");
    void this.#wire?.close();
  }

  #over(cause: Error | null): void {
    this.#questions.over(null);
    this.#session.failAll(new LostConnection(cause));
    this.#options.onOver(this);
  }

  #warn(message: string, details: object = {}): void {
    this.#options.log.warn({ server: this.#options.name, ...details }, message);
  }
}
