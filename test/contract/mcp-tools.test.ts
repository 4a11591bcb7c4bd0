import { expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { RegistryServer } from "../../shared/protocol/tools.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import { onEveryHost } from "./hosts.ts";

const Found = z.object({ servers: z.array(RegistryServer) });
const TOOLS = [
  aTool({ name: "look", readOnly: true, category: "memory", description: "Looks something up" }),
  aTool({ name: "change", category: "tasks" }),
];

onEveryHost("tools over plain HTTP", ({ sidecar, gateway }) => {
  const mcp = new FakeMcpServers();
  const http = async (path: string, init: RequestInit = {}, identity: Partial<Identity> = {}) =>
    fetch(`${gateway().url}/v1/hives/default/tools${path}`, {
      ...init,
      headers: { authorization: `Bearer ${await gateway().token(identity)}`, ...init.headers },
    });
  const call = (tool: string, given: unknown, identity?: Partial<Identity>) =>
    http(`/${tool}`, { method: "POST", body: JSON.stringify(given) }, identity);
  const refusal = async (response: Response) => [
    response.status,
    z.object({ code: z.string() }).parse(await response.json()).code,
  ];

  it("T2 T6 tells which tools there are, by words and category, as far as the token allows", async () => {
    mcp.offer(sidecar, TOOLS, async () => ({ result: {} }));
    const names = async (query: string, permissions?: Identity["permissions"]) => {
      const { servers } = Found.parse(await (await http(query, {}, permissions && { permissions })).json());
      return servers.map(({ name, tools }) => [name, tools.map((tool) => tool.name)]);
    };
    expect(await names("")).toEqual([["demo", ["look", "change"]]]);
    expect(await names("?query=something")).toEqual([["demo", ["look"]]]);
    expect(await names("?category=tasks")).toEqual([["demo", ["change"]]]);
    expect(await names("", ["tools:call:demo__c*"])).toEqual([["demo", ["change"]]]);
    expect(await names("?limit=1", ["tools:call:demo__c*"])).toEqual([["demo", ["change"]]]);
    expect(await names("", ["tools:call:other__*"])).toEqual([]);
    expect(await refusal(await http("", {}, { permissions: ["tasks:read"] }))).toEqual([403, "forbidden"]);
  });

  it("T6 T8 calls one, and answers what came of it", async () => {
    mcp.offer(sidecar, TOOLS, async ({ name, arguments: given }): Promise<McpAnswer> => {
      if (given.fails) return { error: { code: -32000, message: "no" } };
      return { result: { content: [], structuredContent: { name, given } } };
    });
    const done = await call("demo__change", { n: 1 });
    expect(await done.json()).toMatchObject({
      result: { structuredContent: { name: "change", given: { n: 1 } } },
    });
    const failed = await call("demo__change", { fails: true });
    expect(failed.status).toBe(502);
    expect(await failed.json()).toMatchObject({ code: "mcp_failed", error: { code: -32000, message: "no" } });
    const onlyLook = { permissions: ["tools:call:demo__look"] as Identity["permissions"] };
    expect(await refusal(await call("demo__change", {}, onlyLook))).toEqual([404, "unknown_tool"]);
    expect(await refusal(await call("change", {}))).toEqual([404, "unknown_tool"]);
    expect(await refusal(await call("demo__change", []))).toEqual([400, "invalid_request"]);
    expect(await refusal(await call("hivegate__search_tools", {}))).toEqual([404, "unknown_tool"]);
    expect(mcp.calls).toHaveLength(2);
  });

  it("T8 says what keeps a server from answering in its own status", async () => {
    const answers = async (error: object) => {
      sidecar.handle("POST /v1/mcp/demo", () =>
        Response.json({ jsonrpc: "2.0", id: 1, error }, { headers: { "hivegate-registry": "1" } }),
      );
      return refusal(await call("demo__change", {}));
    };
    const gone = new HivegateError("mcp_unavailable").toRpcError();
    expect(await answers(gone)).toEqual([503, "mcp_unavailable"]);
    expect(await answers(new HivegateError("unknown_server").toRpcError())).toEqual([404, "unknown_server"]);
    // A server's own words do not send a client to get another token.
    expect(await answers(new HivegateError("unauthorized").toRpcError())).toEqual([502, "mcp_failed"]);
    expect(await answers({ ...gone, code: -32000 })).toEqual([502, "mcp_failed"]);
  });

  it("S8 R5 keeps what calls are made with out of the log", async () => {
    mcp.offer(sidecar, TOOLS, async () => {
      throw new Error("broken");
    });
    const secret = "sk-live-0123456789abcdef0123456789";
    expect((await call("demo__change", { password: secret })).status).toBeGreaterThanOrEqual(500);
    expect(gateway().log()).not.toContain(secret);
  });
});
