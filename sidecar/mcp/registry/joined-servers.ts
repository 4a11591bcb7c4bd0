import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import { LISTS_CHANGED } from "../list-changes.ts";
import type { Exchange, Route, ServerInfo, Upstream } from "../upstream.ts";
import { isList, joinedList } from "./joined-lists.ts";
import { isByUri, serverRoute } from "./joined-routes.ts";
import type { Registry } from "./registry.ts";

const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;
const RESOURCE_NOT_FOUND = -32002;

/** All that some server may offer: one that comes later has to find it said already. */
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
};

const INSTRUCTIONS =
  "Tools and prompts of several servers. Each is called by its server's name, two underscores and its own.";

const isOfChange = ({ method }: Notification): boolean =>
  method === "notifications/resources/updated" || /^notifications\/\w+\/list_changed$/.test(method);

/**
 * All servers as one. Their tools and prompts are called `server__name`; a resource is the first server's that has its URI. It
 * speaks the words of 2025, in which lists, subscriptions and notices are the same for all servers behind; whatever is for
 * one server goes by `route`, and so is translated for that one alone, if at all.
 */
export class JoinedServers implements Upstream {
  readonly name = "*";
  readonly #registry: Registry;
  readonly #info: ServerInfo;

  /** `version`: of the gateway, as clients are told it. */
  constructor(registry: Registry, version: string) {
    this.#registry = registry;
    this.#info = {
      era: "2025",
      protocolVersion: "2025-11-25",
      capabilities: CAPABILITIES,
      serverInfo: { name: "hivegate", title: "Hivegate", version },
      instructions: INSTRUCTIONS,
    };
  }

  get connections(): number {
    return this.#registry.connections;
  }

  get isOpen(): boolean {
    return this.#registry.servers.some(({ upstream }) => upstream.isOpen);
  }

  /** Nothing that its servers say of themselves: not every client may use every server, or know of it. */
  async info(): Promise<ServerInfo> {
    return this.#info;
  }

  async route(request: McpRequest): Promise<Route | null> {
    if (isByUri(request)) await this.#registry.upToDate();
    const { servers } = this.#registry;
    const to = serverRoute(
      request,
      servers.map(({ name, listing }) => ({ name, offer: listing })),
    );
    const server = to && this.#registry.get(to.server);
    return server ? { upstream: server.upstream, request: to.request } : null;
  }

  logging(): Upstream[] {
    const logging = this.#registry.servers.filter(
      ({ status, listing }) =>
        status === "available" &&
        listing?.info.era === "2025" &&
        listing.info.capabilities.logging !== undefined,
    );
    return logging.map(({ upstream }) => upstream);
  }

  async exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    const { method, params } = request;
    if (isList(method)) return this.#list(method, params.cursor);
    if (method === "ping") return { result: {} };
    const route = await this.route(request);
    return route ? route.upstream.exchange(route.request, exchange) : unknown(request);
  }

  notify(notification: Notification): void {
    for (const { upstream } of this.#registry.servers) upstream.notify(notification);
  }

  /**
   * That lists or resources have changed, as servers say it or because one went or came. Log lines that belong to no
   * call are for those who listen to their server alone: here they would reach clients that may not use it.
   */
  onNotification(listener: (notification: Notification) => void): () => void {
    const passOn = (notification: Notification) => {
      if (isOfChange(notification)) listener(notification);
    };
    const stopNotices = this.#registry.onNotification(passOn);
    const stopChanges = this.#registry.onChange(() => LISTS_CHANGED.forEach(listener));
    return () => {
      stopNotices();
      stopChanges();
    };
  }

  async #list(method: string, cursor: unknown): Promise<McpAnswer> {
    // There is one page, so that nobody can have a cursor of ours.
    if (cursor !== undefined) return refusal(INVALID_PARAMS, "Unknown cursor: this list has one page.");
    await this.#registry.upToDate();
    const parts = this.#registry.servers.map(({ name, status, listing }) => ({
      name,
      offer: status === "available" ? listing : null,
    }));
    return { result: joinedList(method, parts) };
  }
}

function unknown({ method, params }: McpRequest): McpAnswer {
  if (method === "tools/call") return refusal(INVALID_PARAMS, `Unknown tool: ${shown(params.name)}`);
  if (method === "prompts/get") return refusal(INVALID_PARAMS, `Unknown prompt: ${shown(params.name)}`);
  if (method === "completion/complete") return refusal(INVALID_PARAMS, "ref: no server has this.");
  if (isByUri({ method, params })) {
    return refusal(RESOURCE_NOT_FOUND, `Resource not found: ${shown(params.uri)}`, { uri: params.uri });
  }
  return refusal(METHOD_NOT_FOUND, `Method not found: ${shown(method)}`);
}

/** What a client sent is not said back to it at any length. */
const shown = (name: unknown): string => String(name).slice(0, 200);

const refusal = (code: number, message: string, data?: unknown): McpAnswer => ({
  error: { code, message, ...(data !== undefined && { data }) },
});
