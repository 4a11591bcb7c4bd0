/** MCP servers as the sidecar offers them to the gateway, answered by a test: one of the name `demo`. */
import type { Context } from "hono";
import { z } from "zod";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import {
  JOINED_HEADER,
  REGISTRY_HEADER,
  type RegistryServer,
  type ToolEntry,
} from "../../shared/protocol/tools.ts";
import type { FakeSidecar } from "./fake-sidecar-server.ts";

export type FakeCall = { name: string; arguments: Record<string, unknown>; client: string };

const Message = z.object({
  id: z.union([z.string(), z.number()]),
  params: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).default({}) }),
});

export const aTool = (tool: Partial<ToolEntry>): ToolEntry => ({
  ...{ name: "look", title: null, description: null, category: null },
  ...{ readOnly: null, idempotent: null, cacheable: null, cacheTtlMs: null },
  ...tool,
});

export class FakeMcpServers {
  /** What its tools were called with, each time that they were. */
  calls: FakeCall[] = [];
  tools: ToolEntry[] = [];
  #version = 1;
  readonly #underWay = new Map<string, Promise<McpAnswer>>();
  #answer: (call: FakeCall) => Promise<McpAnswer> = async () => ({ result: {} });

  /** From now on `sidecar` offers these tools, and `answer` answers them. */
  offer(sidecar: FakeSidecar, tools: ToolEntry[], answer: (call: FakeCall) => Promise<McpAnswer>): void {
    this.calls = [];
    this.#answer = answer;
    this.change(tools);
    sidecar.handle("GET /v1/registry", (c) => this.#registry(c));
    sidecar.handle("POST /v1/mcp/demo", (c, body) => this.#call(c, body));
  }

  /** The server has other tools now. */
  change(tools: ToolEntry[]): void {
    this.tools = tools;
    this.#version++;
  }

  get #head(): Record<string, string> {
    return { [REGISTRY_HEADER]: `v${this.#version}` };
  }

  #registry(c: Context): Response {
    const version = `v${this.#version}`;
    if (c.req.header("if-none-match") === `"${version}"`)
      return new Response(null, { status: 304, headers: this.#head });
    const demo: RegistryServer = {
      ...{ name: "demo", status: "available", era: "2025", category: null, version, tools: this.tools },
    };
    return Response.json({ version, servers: [demo] }, { headers: this.#head });
  }

  async #call(c: Context, body: unknown): Promise<Response> {
    const { id, params } = Message.parse(body);
    const { client = "", join } = c.req.query();
    const call = { ...params, client };
    const joined = join === undefined ? undefined : this.#underWay.get(join);
    const answering = joined ?? this.#begin(call, join);
    const headers = { ...(joined && { [JOINED_HEADER]: "1" }) };
    const answer = await answering;
    return Response.json({ jsonrpc: "2.0", id, ...answer }, { headers: { ...headers, ...this.#head } });
  }

  #begin(call: FakeCall, join: string | undefined): Promise<McpAnswer> {
    this.calls.push(call);
    const answering = this.#answer(call);
    if (join === undefined) return answering;
    this.#underWay.set(join, answering);
    return answering.finally(() => this.#underWay.delete(join));
  }
}
