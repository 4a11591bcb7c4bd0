/** An MCP server that a test plays itself, as the sidecar's endpoint sees it. */
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Notification } from "../../sidecar/mcp/json-rpc-session.ts";
import type { Era, Exchange, Opening, ServerInfo, Upstream } from "../../sidecar/mcp/upstream.ts";

/** What the server does about one request. */
export type Play = (request: McpRequest, exchange: Exchange) => McpAnswer | Promise<McpAnswer>;

export class FakeUpstream implements Upstream {
  readonly name: string;
  connections = 1;
  isOpen = true;
  facts: ServerInfo;
  /** What it was asked, in order. */
  readonly asked: McpRequest[] = [];
  readonly told: Notification[] = [];
  play: Play;
  /** How long it takes to be connected to, for those who do not wait for ever. */
  opened: (opening: Opening) => Promise<void> = () => Promise.resolve();
  readonly #listeners = new Set<(notification: Notification) => void>();

  constructor(era: Era, play: Play, facts: Partial<ServerInfo> = {}, name = `fake-${era}`) {
    this.name = name;
    this.play = play;
    this.facts = {
      era,
      protocolVersion: era === "2025" ? "2025-11-25" : "2026-07-28",
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true },
        logging: {},
        ...(era === "2025" && { tasks: {} }),
      },
      serverInfo: { name: "fake", version: "1" },
      instructions: "Be careful.",
      ...facts,
    };
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async info(opening?: Opening): Promise<ServerInfo> {
    if (opening) await this.opened(opening);
    this.#connect();
    return this.facts;
  }

  exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    this.#connect();
    this.asked.push(request);
    const aborted = new Promise<never>((_, reject) => {
      const onAbort = () => reject(exchange.signal.reason);
      if (exchange.signal.aborted) onAbort();
      exchange.signal.addEventListener("abort", onAbort);
    });
    return Promise.race([Promise.resolve().then(() => this.play(request, exchange)), aborted]);
  }

  notify(notification: Notification): void {
    this.told.push(notification);
  }

  onNotification(listener: (notification: Notification) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Its connection is lost; whoever wants something opens the next one. */
  drop(): void {
    this.isOpen = false;
  }

  #connect(): void {
    if (!this.isOpen) this.connections++;
    this.isOpen = true;
  }

  /** What it says unasked. */
  say(method: string, params: Record<string, unknown> = {}): void {
    for (const listener of this.#listeners) listener({ method, params });
  }
}
