import { anyOf, type Pattern } from "../../shared/auth/pattern.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import { LISTEN } from "./exchange-time.ts";
import type { Notification } from "./json-rpc-session.ts";
import { isRecord } from "./record.ts";
import type { McpServerConfig } from "./server-config.ts";
import type { Exchange, Opening, ServerInfo, Upstream } from "./upstream.ts";

export type ClientSettings = Pick<McpServerConfig, "allowedTools" | "timeoutMs">;

const INVALID_PARAMS = -32602;

/** Which tools are there for clients; null: all. */
export const allowedBy = ({ allowedTools = ["*"] }: ClientSettings): Pattern | null =>
  allowedTools.includes("*") ? null : anyOf(allowedTools);

/**
 * A server as clients may use it: tools that are not allowed are not there for them, whichever way they come, and their
 * requests take no longer than is configured. What Hivegate asks for itself goes past it.
 */
export class ClientView implements Upstream {
  readonly #upstream: Upstream;
  #settings: ClientSettings;
  #allowed: Pattern | null;

  constructor(upstream: Upstream, settings: ClientSettings) {
    this.#upstream = upstream;
    this.#settings = settings;
    this.#allowed = allowedBy(settings);
  }

  /** From now on. Whoever knows lists has to be told that they may be others: see `LiveConnection.listsChanged`. */
  configure(settings: ClientSettings): void {
    this.#settings = settings;
    this.#allowed = allowedBy(settings);
  }

  get name(): string {
    return this.#upstream.name;
  }

  get connections(): number {
    return this.#upstream.connections;
  }

  get isOpen(): boolean {
    return this.#upstream.isOpen;
  }

  info(opening?: Opening): Promise<ServerInfo> {
    return this.#upstream.info(opening);
  }

  async exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    const { method, params } = request;
    if (method === "tools/call" && !this.#isThere(params)) return unknownTool(params.name);
    const answer = await this.#upstream.exchange(request, { ...this.#timeout(method), ...exchange });
    return method === "tools/list" ? this.#listed(answer) : answer;
  }

  notify(notification: Notification): void {
    this.#upstream.notify(notification);
  }

  onNotification(listener: (notification: Notification) => void): () => void {
    return this.#upstream.onNotification(listener);
  }

  /** A listen goes on for as long as its client wants. */
  #timeout(method: string): Pick<Exchange, "timeoutMs"> {
    const { timeoutMs } = this.#settings;
    return timeoutMs === undefined || method === LISTEN ? {} : { timeoutMs };
  }

  /** What has no proper name might be taken for any tool. */
  #isThere({ name }: Record<string, unknown>): boolean {
    return this.#allowed === null || (typeof name === "string" && this.#allowed.fits(name));
  }

  #listed(answer: McpAnswer): McpAnswer {
    if (this.#allowed === null || "error" in answer || !Array.isArray(answer.result.tools)) return answer;
    const tools = answer.result.tools.filter((tool) => isRecord(tool) && this.#isThere(tool));
    return { result: { ...answer.result, tools } };
  }
}

/** As a server that has no such tool would say it. What a client sent is not said back to it at any length. */
const unknownTool = (name: unknown): McpAnswer => ({
  error: { code: INVALID_PARAMS, message: `Unknown tool: ${String(name).slice(0, 200)}` },
});
