import { pause, platformClock } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { BreakerRules, BreakerState } from "../../shared/pressure/breaker.ts";
import { Guard } from "../../shared/pressure/guarded.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Circuit } from "../../shared/protocol/sidecar.ts";
import { LISTEN, timeoutOf } from "./exchange-time.ts";
import type { Notification, Params } from "./json-rpc-session.ts";
import { isSafeToRepeat, LostConnection, StillOpening } from "./lost-connection.ts";
import { SharedLink, type SharedLinkOptions } from "./shared-link.ts";
import type { Exchange, Opening, ServerInfo, Upstream } from "./upstream.ts";

export type McpConnectionOptions = SharedLinkOptions & {
  /** How long a call of our own may take, connecting included, when it does not say otherwise. */
  callTimeoutMs: number;
  /** `saved` is what `save` was given last, were it before a restart; null when there is nothing. */
  breaker: { rules: BreakerRules; saved: unknown; save(state: BreakerState): void };
  /** Whole milliseconds since the epoch. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
};

export type CallOptions = { timeoutMs?: number };

const TOOK_TOO_LONG = new HivegateError(
  "mcp_unavailable",
  "The MCP server was replaced or taken away, and did not answer in time. The request may still take effect.",
);

/**
 * The one connection to one MCP server, or its one process, for everybody. It opens on first use and again on the first
 * use after a loss. A circuit breaker leaves a server that fails alone for a while; calls then fail at once. A call
 * that may not be idempotent is never sent twice.
 */
export class McpConnection implements Upstream {
  readonly name: string;
  readonly #options: McpConnectionOptions;
  readonly #guard: Guard;
  readonly #notified = new Set<(notification: Notification) => void>();
  readonly #troubled = new Set<() => void>();
  readonly #link: SharedLink;
  readonly #listening = new AbortController();
  /** Aborted when it was retired and nobody waits for an answer any more, or may. */
  readonly #idle = new AbortController();
  /** What it was retired with; null before that. */
  #refusal: HivegateError | null = null;
  #pending = 0;
  #isFailing = false;
  /** How often calls were lost with a connection, or because there was none to be had. */
  #losses = 0;

  constructor(options: McpConnectionOptions) {
    this.name = options.name;
    this.#options = options;
    this.#link = new SharedLink(options, {
      onNotification: (notification) => this.#tell(notification),
      onSilent: (ping) => this.#judged(ping),
      onLost: () => this.#trouble(),
    });
    const { now, random, breaker } = options;
    this.#guard = new Guard({
      rules: breaker.rules,
      clock: { now },
      random,
      saved: breaker.saved,
      changed: (state) => this.#circuitChanged(state),
    });
  }

  get connections(): number {
    return this.#link.connections;
  }

  /** As the server told them when it was connected to last; null before that. */
  get capabilities(): Record<string, unknown> | null {
    return this.#link.info?.capabilities ?? null;
  }

  get isOpen(): boolean {
    return this.#link.current !== null;
  }

  /** Calls that wait for an answer. */
  get pending(): number {
    return this.#pending;
  }

  /** Something was sent and is not answered yet. */
  get isBusy(): boolean {
    return this.isOpen && this.#pending > 0;
  }

  /** The last call got no answer. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  get circuit(): Circuit {
    return this.#guard.circuit;
  }

  /** Milliseconds until the circuit lets a call through; 0: it does. */
  get retryInMs(): number {
    return this.#guard.retryInMs;
  }

  async info(opening?: Opening): Promise<ServerInfo> {
    const timeoutMs = Math.min(opening?.timeoutMs ?? Infinity, this.#openingMs);
    if (!this.#link.current?.info)
      await this.#guarded(() => this.#link.opened(timeoutMs, opening?.signal), opening);
    if (!this.#link.info) throw new HivegateError("mcp_unavailable");
    return this.#link.info;
  }

  async exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    const timeoutMs = timeoutOf(request, exchange);
    if (request.method === LISTEN) return this.#listen(request, exchange, timeoutMs);
    const startedMs = this.#options.now();
    try {
      return await this.#guarded(() => this.#ask(request, timeoutMs, exchange), exchange);
    } catch (error) {
      if (!(error instanceof LostConnection) || !isSafeToRepeat(error, request, exchange)) throw error;
      const leftMs = Math.max(1, timeoutMs - (this.#options.now() - startedMs));
      return await this.#guarded(() => this.#ask(request, leftMs, exchange), exchange);
    }
  }

  notify(notification: Notification): void {
    this.#link.current?.notify(notification);
  }

  /**
   * Any request of our own; the answer's bare result. A timeout counts against the server: whoever is only impatient
   * stops waiting instead (`within`).
   * @throws HivegateError `mcp_failed` (the server says so), `mcp_unavailable` (no connection), `timeout` (sent, no answer
   * yet), `circuit_open` (not sent), `overloaded` (too many calls wait), `shutting_down`
   */
  async request(method: string, params: Params, { timeoutMs }: CallOptions = {}): Promise<unknown> {
    const limitMs = timeoutMs ?? this.#options.callTimeoutMs;
    const answer = await this.#guarded(() => this.#ask({ method, params }, limitMs));
    if ("result" in answer) return answer.result;
    const { code, message } = answer.error;
    throw new HivegateError("mcp_failed", undefined, { cause: new Error(`${code} ${message}`) });
  }

  /** `listener` hears what the server says unasked, over every reconnection. Returns how to stop. */
  onNotification(listener: (notification: Notification) => void): () => void {
    this.#notified.add(listener);
    return () => void this.#notified.delete(listener);
  }

  /** `listener` hears that an open connection was lost, or that the circuit changed. Returns how to stop. */
  onTrouble(listener: () => void): () => void {
    this.#troubled.add(listener);
    return () => void this.#troubled.delete(listener);
  }

  /** Whoever waits for an answer gets `shutting_down`, and so does whoever asks from now on. Resolves when all has ended. */
  close(): Promise<void> {
    return this.#link.close(new HivegateError("shutting_down"));
  }

  /**
   * Makes way: whoever asks from now on, or waits for a connection, gets `refusal`; listens are over. What was sent may be
   * answered for `limitMs` still, then it is ended. Resolves when nothing is left of it.
   */
  async retire(refusal: HivegateError, limitMs: number): Promise<void> {
    this.#refusal = refusal;
    this.#listening.abort(new LostConnection(refusal));
    this.#link.retire(refusal);
    if (this.isBusy) await pause(platformClock, limitMs, this.#idle.signal);
    await this.#link.close(TOOK_TOO_LONG);
  }

  /** What was sent before it was retired is not waited for any more. */
  hurry(): void {
    this.#idle.abort();
  }

  /** The connection itself, `authenticate`, and the greeting in the words of both eras. */
  get #openingMs(): number {
    return 4 * this.#options.connectTimeoutMs;
  }

  /** It goes on for as long as somebody listens, which says nothing of how the server is. */
  async #listen(request: McpRequest, exchange: Exchange, timeoutMs: number): Promise<McpAnswer> {
    const link = await this.#guarded(() => this.#link.opened(this.#openingMs, exchange.signal), exchange);
    const signal = AbortSignal.any([exchange.signal, this.#listening.signal]);
    return link.ask(request, timeoutMs, { ...exchange, signal });
  }

  async #guarded<T>(call: () => Promise<T>, exchange: Opening | null = null): Promise<T> {
    if (this.#refusal) throw this.#refusal;
    if (this.#pending >= LIMITS.mcpPendingCalls) throw new HivegateError("overloaded");
    this.#pending++;
    try {
      return await this.#judged(call, exchange);
    } finally {
      this.#pending--;
      if (this.#refusal && this.#pending === 0) this.#idle.abort();
    }
  }

  #judged<T>(call: () => Promise<T>, exchange: Opening | null = null): Promise<T> {
    const losses = this.#losses;
    return this.#guard.run(call, (error) => this.#failed(error, losses, exchange));
  }

  async #ask(request: McpRequest, timeoutMs: number, exchange: Exchange | null = null): Promise<McpAnswer> {
    const startedMs = this.#options.now();
    const link = this.#link.current ?? (await this.#link.opened(timeoutMs, exchange?.signal));
    const spentMs = this.#options.now() - startedMs;
    const answer = await link.ask(request, Math.max(1, timeoutMs - spentMs), exchange);
    this.#isFailing = false;
    return answer;
  }

  /**
   * Whether this counts as a failure of the server, as `Guard.run` wants to know it: an answer that says no is
   * an answer, and where our own limits or our own end came first nothing was learnt (null). One lost
   * connection is one failure, however many calls it ends: `losses` is how many there were when the call began.
   */
  #failed(error: unknown, losses: number, exchange: Opening | null): boolean | null {
    const code = error instanceof HivegateError ? error.code : "internal";
    const isOurs = code === "overloaded" || code === "shutting_down" || code === "internal";
    if (isOurs || this.#refusal || exchange?.signal.aborted) return null;
    // How long a client waits for what is its own choice: whether the server is there at all, a ping tells (`onSilent`).
    if (code === "timeout" && exchange) return null;
    this.#isFailing = code !== "mcp_failed";
    // Nor does one who waits for less than a server may take to start.
    if (error instanceof StillOpening && error.waitedMs < this.#options.connectTimeoutMs) return null;
    if (code !== "mcp_unavailable") return this.#isFailing;
    if (losses !== this.#losses) return null;
    this.#losses++;
    return true;
  }

  #tell(notification: Notification): void {
    for (const listener of this.#notified) listener(notification);
  }

  #trouble(): void {
    for (const listener of this.#troubled) listener();
  }

  /** One that was retired is nobody's any more. */
  #circuitChanged(state: BreakerState): void {
    if (this.#refusal) return;
    const { name, log, breaker } = this.#options;
    log.info({ server: name, circuit: state.phase }, "the MCP server's circuit changed");
    breaker.save(state);
    this.#trouble();
  }
}
