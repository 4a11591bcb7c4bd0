import { randomUUID } from "node:crypto";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Observe, timed } from "../../shared/metrics/timed.ts";
import type { BreakerRules, BreakerState } from "../../shared/pressure/breaker.ts";
import { Guard } from "../../shared/pressure/guarded.ts";
import type { Circuit } from "../../shared/protocol/sidecar.ts";
import type { Logger } from "../log.ts";
import type { Notification, Params } from "./json-rpc-session.ts";
import { McpLink } from "./link.ts";
import { toolData } from "./tool-result.ts";
import { within } from "./within.ts";

export type McpConnectionOptions = {
  /** The server's name, for the log. */
  name: string;
  host: string;
  port: number;
  token: string | null;
  connectTimeoutMs: number;
  /** How long a call may take, connecting included, when it does not say otherwise. */
  callTimeoutMs: number;
  /** `saved` is what `save` was given last, were it before a restart; null when there is nothing. */
  breaker: { rules: BreakerRules; saved: unknown; save(state: BreakerState): void };
  log: Logger;
  /** Hears how each request went, the ones that the circuit breaker kept back included. */
  observe?: Observe;
  /** Whole milliseconds since the epoch. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
};

type CallOptions = { timeoutMs?: number };

const NOBODY: Observe = () => {};

/**
 * The one connection to one MCP server, for everybody. It opens on first use and again on the first use
 * after a loss. A circuit breaker leaves a server that fails alone for a while; calls then fail at once. A
 * call is never sent twice: it may not be idempotent.
 */
export class McpConnection {
  readonly #options: McpConnectionOptions;
  readonly #guard: Guard;
  readonly #notified = new Set<(notification: Notification) => void>();
  readonly #troubled = new Set<() => void>();
  readonly #closing = new AbortController();
  #link: McpLink | null = null;
  #capabilities: Record<string, unknown> | null = null;
  #opening: Promise<McpLink> | null = null;
  #pending = 0;
  #isFailing = false;
  /** How often calls were lost with a connection, or because there was none to be had. */
  #losses = 0;

  constructor(options: McpConnectionOptions) {
    this.#options = options;
    const { now, random, breaker } = options;
    this.#guard = new Guard({
      rules: breaker.rules,
      clock: { now },
      random,
      saved: breaker.saved,
      changed: (state) => this.#circuitChanged(state),
    });
  }

  /** As the server told them when it was connected to last; null before that. */
  get capabilities(): Record<string, unknown> | null {
    return this.#capabilities;
  }

  get isOpen(): boolean {
    return this.#link?.isOpen ?? false;
  }

  /** Calls that wait for an answer. */
  get pending(): number {
    return this.#pending;
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

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Calls a tool and gives its data (see `toolData`).
   * @throws HivegateError `mcp_failed` (the server or the tool says so), `mcp_unavailable` (no connection),
   * `timeout` (sent, no answer yet), `circuit_open` (not sent), `overloaded` (too many calls wait),
   * `shutting_down`
   */
  async call(tool: string, args: Params, options: CallOptions = {}): Promise<unknown> {
    return toolData(await this.request("tools/call", { name: tool, arguments: args }, options));
  }

  /**
   * Any request; the answer's bare result. A timeout counts against the server: whoever is only impatient
   * stops waiting instead (`within`).
   * @throws as `call`
   */
  request(method: string, params: Params, options: CallOptions = {}): Promise<unknown> {
    const observe = this.#options.observe ?? NOBODY;
    return timed(() => this.#request(method, params, options), observe, { now: () => performance.now() });
  }

  async #request(method: string, params: Params, options: CallOptions): Promise<unknown> {
    if (this.#pending >= LIMITS.mcpPendingCalls) throw new HivegateError("overloaded");
    const timeoutMs = options.timeoutMs ?? this.#options.callTimeoutMs;
    this.#pending++;
    try {
      const losses = this.#losses;
      return await this.#guard.run(
        () => this.#ask(method, params, timeoutMs),
        (error) => this.#failed(error, losses),
      );
    } finally {
      this.#pending--;
    }
  }

  /** Milliseconds until the server answered, were it with an error. @throws as `call`, but not `mcp_failed` */
  async ping(options: CallOptions = {}): Promise<number> {
    const startedMs = this.#options.now();
    try {
      await this.request("ping", {}, options);
    } catch (error) {
      if (!(error instanceof HivegateError && error.code === "mcp_failed")) throw error;
    }
    return this.#options.now() - startedMs;
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

  /** Whoever waits for an answer gets `shutting_down`, and so does whoever asks from now on. */
  close(): void {
    this.#link?.close(new HivegateError("shutting_down"));
    this.#closing.abort();
  }

  async #ask(method: string, params: Params, timeoutMs: number): Promise<unknown> {
    const startedMs = this.#options.now();
    const link = this.#link?.isOpen
      ? this.#link
      : await within(this.#open(), timeoutMs, () => new HivegateError("mcp_unavailable"));
    const spentMs = this.#options.now() - startedMs;
    const result = await link.request(method, params, Math.max(1, timeoutMs - spentMs));
    this.#isFailing = false;
    return result;
  }

  /**
   * Whether this counts as a failure of the server, as `Guard.run` wants to know it: an answer that says no is
   * an answer, and where our own limits or our own end came first nothing was learnt (null). One lost
   * connection is one failure, however many calls it ends: `losses` is how many there were when the call began.
   */
  #failed(error: unknown, losses: number): boolean | null {
    const code = error instanceof HivegateError ? error.code : "internal";
    if (code === "overloaded" || code === "shutting_down") return null;
    this.#isFailing = code !== "mcp_failed";
    if (code !== "mcp_unavailable") return this.#isFailing;
    if (losses !== this.#losses) return null;
    this.#losses++;
    return true;
  }

  /** Simultaneous first users share one opening. */
  async #open(): Promise<McpLink> {
    if (this.#closed) throw new HivegateError("shutting_down");
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #connect(): Promise<McpLink> {
    const { name, log } = this.#options;
    const link = await McpLink.open({
      ...this.#options,
      newId: randomUUID,
      signal: this.#closing.signal,
      onNotification: (notification) => this.#tell(notification),
      onOver: (over) => this.#over(over),
    }).catch((cause: unknown) => {
      if (this.#closed) throw new HivegateError("shutting_down");
      // The first failure is news, those after it are the same one.
      log[this.#isFailing ? "debug" : "warn"]({ server: name, err: cause }, "cannot use the MCP server");
      throw new HivegateError("mcp_unavailable", undefined, { cause });
    });
    this.#link = link;
    this.#capabilities = link.capabilities;
    log.info({ server: name }, "connected to the MCP server");
    return link;
  }

  #tell(notification: Notification): void {
    for (const listener of this.#notified) listener(notification);
  }

  #over(link: McpLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    if (this.#closed) return;
    this.#options.log.warn({ server: this.#options.name, ...link.counters }, "lost the MCP server");
    for (const listener of this.#troubled) listener();
  }

  #circuitChanged(state: BreakerState): void {
    const { name, log, breaker } = this.#options;
    log.info({ server: name, circuit: state.phase }, "the MCP server's circuit changed");
    breaker.save(state);
    for (const listener of this.#troubled) listener();
  }
}
