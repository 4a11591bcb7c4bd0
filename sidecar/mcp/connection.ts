import { randomUUID } from "node:crypto";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { backoffMs } from "../../shared/pressure/backoff.ts";
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
  log: Logger;
  /** Milliseconds; only differences count. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
};

/** `waiting`: the server could not be had, and it is not yet time to try again. */
export type McpConnectionState = "idle" | "connecting" | "open" | "waiting" | "closed";

type CallOptions = { timeoutMs?: number };

const RECONNECT = { firstMs: 100, mostMs: 5_000 };

/**
 * The one connection to one MCP server, for everybody. It opens on first use and again on the first use
 * after a loss. While a server that cannot be had is left alone for a while, calls fail at once rather than
 * queue. A call is never sent twice: it may not be idempotent.
 */
export class McpConnection {
  readonly #options: McpConnectionOptions;
  readonly #listeners = new Set<(notification: Notification) => void>();
  readonly #closing = new AbortController();
  #link: McpLink | null = null;
  #opening: Promise<McpLink> | null = null;
  #waiting = 0;
  #failuresInARow = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: McpConnectionOptions) {
    this.#options = options;
  }

  get state(): McpConnectionState {
    if (this.#closed) return "closed";
    if (this.isOpen) return "open";
    if (this.#opening) return "connecting";
    return this.#options.now() < this.#retryAtMs ? "waiting" : "idle";
  }

  get isOpen(): boolean {
    return this.#link?.isOpen ?? false;
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Calls a tool and gives its data (see `toolData`).
   * @throws HivegateError `mcp_failed` (the server or the tool says so), `mcp_unavailable` (no connection),
   * `timeout` (sent, no answer yet), `overloaded` (too many calls wait), `shutting_down`
   */
  async call(tool: string, args: Params, options: CallOptions = {}): Promise<unknown> {
    return toolData(await this.request("tools/call", { name: tool, arguments: args }, options));
  }

  /** Any request; the answer's bare result. @throws as `call` */
  async request(method: string, params: Params, options: CallOptions = {}): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#options.callTimeoutMs;
    if (this.#waiting >= LIMITS.mcpPendingCalls) throw new HivegateError("overloaded");
    this.#waiting++;
    try {
      if (this.#link?.isOpen) return await this.#link.request(method, params, timeoutMs);
      const startedMs = this.#options.now();
      const link = await within(this.#open(), timeoutMs, () => new HivegateError("mcp_unavailable"));
      const spentMs = this.#options.now() - startedMs;
      return await link.request(method, params, Math.max(1, timeoutMs - spentMs));
    } finally {
      this.#waiting--;
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
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whoever waits for an answer gets `shutting_down`, and so does whoever asks from now on. */
  close(): void {
    this.#link?.close(new HivegateError("shutting_down"));
    this.#closing.abort();
  }

  /** Simultaneous first users share one opening. */
  async #open(): Promise<McpLink> {
    if (this.#closed) throw new HivegateError("shutting_down");
    if (this.#opening) return this.#opening;
    if (this.#options.now() < this.#retryAtMs) throw new HivegateError("mcp_unavailable");
    this.#opening = this.#connect().finally(() => {
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
      onNotification: (notification) => this.#notified(notification),
      onOver: (over) => this.#over(over),
    }).catch((cause: unknown) => {
      if (this.#closed) throw new HivegateError("shutting_down");
      this.#backOff(cause);
      throw new HivegateError("mcp_unavailable", undefined, { cause });
    });
    this.#link = link;
    log.info({ server: name }, "connected to the MCP server");
    return link;
  }

  #notified(notification: Notification): void {
    for (const listener of this.#listeners) listener(notification);
  }

  #over(link: McpLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    if (this.#closed) return;
    this.#options.log.warn({ server: this.#options.name, ...link.counters }, "lost the MCP server");
    if (link.hasAnswered) this.#failuresInARow = 0;
    // A server that hangs up on us before it was of any use would do so again.
    else this.#backOff(new Error("the connection was lost before anything was answered"));
  }

  #backOff(cause: unknown): void {
    const waitMs = backoffMs(RECONNECT, this.#failuresInARow, this.#options.random());
    this.#retryAtMs = this.#options.now() + waitMs;
    this.#failuresInARow++;
    const entry = { server: this.#options.name, err: cause, waitMs };
    if (this.#failuresInARow === 1) this.#options.log.warn(entry, "cannot use the MCP server");
    else this.#options.log.debug(entry, "still cannot use the MCP server");
  }
}
