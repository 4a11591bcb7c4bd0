import { HivegateError } from "../../../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import type { Notification } from "../../../../sidecar/mcp/json-rpc-session.ts";
import type { Exchange, ServerInfo, Upstream } from "../../../../sidecar/mcp/upstream.ts";

type Script = (request: McpRequest, exchange: Exchange) => McpAnswer | Promise<McpAnswer>;

const CAPABILITIES = { tools: {}, prompts: {}, resources: {} };

/** A server that answers by a script, and says and loses what a test wants. */
export class ScriptedUpstream implements Upstream {
  readonly name: string;
  connections = 0;
  isOpen = false;
  capabilities: Record<string, unknown> = CAPABILITIES;
  instructions: string | null = null;
  /** It cannot be reached. */
  isDown = false;
  readonly asked: McpRequest[] = [];
  readonly notified: Notification[] = [];
  readonly listeners = new Set<(notification: Notification) => void>();
  script: Script;

  constructor(name: string, script: Script) {
    this.name = name;
    this.script = script;
  }

  async info(): Promise<ServerInfo> {
    this.#connect();
    const { capabilities, instructions } = this;
    return { era: "2025", protocolVersion: "2025-11-25", capabilities, serverInfo: null, instructions };
  }

  async exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    this.#connect();
    this.asked.push(request);
    return this.script(request, exchange);
  }

  notify(notification: Notification): void {
    this.notified.push(notification);
  }

  onNotification(listener: (notification: Notification) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  say(method: string, params: Notification["params"] = {}): void {
    for (const listener of this.listeners) listener({ method, params });
  }

  /** Its connection is lost; whoever wants something opens the next one, unless it is down. */
  drop(): void {
    this.isOpen = false;
  }

  /** It cannot be reached any more. */
  fail(): void {
    this.isDown = true;
    this.drop();
  }

  #connect(): void {
    if (this.isDown) throw new HivegateError("mcp_unavailable");
    if (!this.isOpen) this.connections++;
    this.isOpen = true;
  }

  /** How often this was asked of it. */
  count(method: string): number {
    return this.asked.filter((request) => request.method === method).length;
  }
}

export type Lists = {
  tools?: object[];
  prompts?: object[];
  resources?: object[];
  resourceTemplates?: object[];
};

/** A server that offers what `lists` holds at the time; every other request gets its own words back. */
export const offering = (name: string, lists: Lists): ScriptedUpstream =>
  new ScriptedUpstream(name, ({ method, params }) => {
    const { tools = [], prompts = [], resources = [], resourceTemplates = [] } = lists;
    if (method === "tools/list") return { result: { tools } };
    if (method === "prompts/list") return { result: { prompts } };
    if (method === "resources/list") return { result: { resources } };
    if (method === "resources/templates/list") return { result: { resourceTemplates } };
    return { result: { by: name, method, params } };
  });
