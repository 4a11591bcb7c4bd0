import { expect, it } from "vitest";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import { onEveryHost } from "./hosts.ts";

const KEY = "a-key-of-more-than-thirty-two-characters";
const NO_TOOLS = "another-key-that-may-look-and-nothing-more";
const ONE_TOOL = "a-third-key-for-one-tool-of-one-server-alone";
const RULED = "a-fourth-key-whose-holder-some-rule-is-about";
const API_KEYS = JSON.stringify({
  agents: KEY,
  reader: { key: NO_TOOLS, permissions: ["config:read"] },
  narrow: { key: ONE_TOOL, permissions: ["config:read", "tools:call:demo__look"] },
  ruled: RULED,
});
/** What is denied does not exist for that client. */
const MCP_RULES = JSON.stringify({
  access: [{ effect: "deny", subjects: ["key:ruled"], servers: ["demo"] }],
});
const TOOLS = [aTool({ name: "look", readOnly: true }), aTool({ name: "change" })];

onEveryHost(
  "calls by the older endpoints",
  ({ sidecar, gateway }) => {
    const mcp = new FakeMcpServers();
    const post = async (path: string, body: unknown, key = KEY) => {
      const response = await fetch(`${gateway().url}/api/v1/mcp${path}`, {
        method: "POST",
        headers: { "x-api-key": key, "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return [response.status, await response.json()] as const;
    };
    const call = (tool_name: string, given: Record<string, unknown> = {}, key?: string) =>
      post("/tools/call", { server_name: "demo", tool_name, arguments: given }, key);
    const answersToTools = (answer: McpAnswer) => mcp.offer(sidecar, TOOLS, async () => answer);

    it("C2 calls a tool, and tells of its result or its failure as the older system did", async () => {
      const names = { tool_name: "look", server_name: "demo" };
      answersToTools({ result: { content: [{ type: "text", text: "found" }] } });
      expect(await call("look", { n: 1 })).toEqual([
        200,
        {
          ...{ success: true, result: { content: [{ type: "text", text: "found" }] }, error: null },
          ...{ execution_time_ms: expect.any(Number), ...names },
        },
      ]);
      expect(mcp.calls.at(-1)).toMatchObject({ name: "look", arguments: { n: 1 } });
      answersToTools({ result: { isError: true, content: [{ type: "text", text: "it broke" }] } });
      const failure = { success: false, result: null, execution_time_ms: expect.any(Number), ...names };
      expect(await call("look")).toEqual([200, { ...failure, error: "it broke" }]);
      answersToTools({ error: { code: -32602, message: "Unknown tool: look" } });
      expect(await call("look")).toEqual([200, { ...failure, error: "Unknown tool: look" }]);
    });

    it("C2 T6 calls no tool that the key does not allow, and no server that is not there", async () => {
      answersToTools({ result: { content: [] } });
      const before = mcp.calls.length;
      expect(await call("change", {}, NO_TOOLS)).toMatchObject([403, { detail: expect.any(String) }]);
      expect(await call("change", {}, ONE_TOOL)).toMatchObject([200, { success: false }]);
      const elsewhere = { server_name: "other", tool_name: "x" };
      expect(await post("/tools/call", elsewhere, ONE_TOOL)).toEqual([
        404,
        { detail: "Server other not found" },
      ]);
      sidecar.answer("POST /v1/mcp/other", { code: "unknown_server", message: "There is none." }, 404);
      expect(await post("/tools/call", elsewhere)).toEqual([404, { detail: "There is none." }]);
      expect(await post("/tools/call", { ...elsewhere, server_name: "other__x" })).toMatchObject([404, {}]);
      expect(mcp.calls.length).toBe(before);
    });

    it("C2 tells what is wrong with a body as FastAPI did", async () => {
      expect(await post("/tools/call", { server_name: "demo" })).toMatchObject([
        422,
        { detail: [{ type: "missing", loc: ["body", "tool_name"], msg: "Field required" }] },
      ]);
      expect(await post("/resources/access", "{")).toMatchObject([422, { detail: [{ loc: ["body"] }] }]);
    });

    it("C2 T6 lists of what servers offer only what the key, and the rules, let be used", async () => {
      const get = async (path: string, key: string) => {
        const response = await fetch(`${gateway().url}/api/v1/mcp${path}`, { headers: { "x-api-key": key } });
        return response.json();
      };
      const stateOf = (tools: string[] | null, resources: string[] | null) => ({
        ...{ name: "demo", status: "running" },
        ...{ tools_discovered: tools, resources_discovered: resources },
      });
      const all = stateOf(["look", "change"], ["file:///a"]);
      const tool = (name: string) => ({ name, server_name: "demo", input_schema: { secret: name } });
      const ofAgent = (name: string) => ({ tool_name: name, server_name: "demo" });
      const path = "GET /api/v1/mcp";
      sidecar.answer(`${path}/servers`, { servers: [all], total: 1 });
      sidecar.answer(`${path}/agents/a/servers`, { servers: [stateOf(null, null)], total: 1 });
      sidecar.answer(`${path}/servers/demo`, all);
      const tools = { server_name: "demo", tools: [tool("look"), tool("change")], total: 2 };
      sidecar.answer(`${path}/servers/demo/tools`, tools);
      const resources = { server_name: "demo", resources: [{ uri: "file:///a" }], total: 1 };
      sidecar.answer(`${path}/servers/demo/resources`, resources);
      const agent = { agent_name: "a", tools: [ofAgent("look"), ofAgent("change")], total: 2 };
      sidecar.answer(`${path}/agents/a/tools`, { ...agent, servers: ["demo"] });

      expect(await get("/servers/demo", KEY)).toEqual(all);
      expect(await get("/servers/demo/tools", KEY)).toEqual(tools);
      for (const key of [NO_TOOLS, ONE_TOOL, RULED]) {
        const names = key === ONE_TOOL ? ["look"] : [];
        const total = names.length;
        expect(await get("/servers/demo", key)).toEqual(stateOf(names, []));
        expect(await get("/servers", key)).toEqual({ servers: [stateOf(names, [])], total: 1 });
        expect(await get("/agents/a/servers", key)).toMatchObject({ servers: [stateOf(null, null)] });
        expect(await get("/servers/demo/tools", key)).toEqual({ ...tools, tools: names.map(tool), total });
        expect(await get("/servers/demo/resources", key)).toEqual({ ...resources, resources: [], total: 0 });
        const shown = { tools: names.map(ofAgent), total, servers: ["demo"] };
        expect(await get("/agents/a/tools", key)).toEqual({ ...agent, ...shown });
      }
    });

    it("C2 reads a resource, and says why where it cannot", async () => {
      const answer = (message: object) =>
        sidecar.handle("POST /v1/mcp/demo", (_, asked) => {
          heard.push(asked);
          return Response.json(
            { jsonrpc: "2.0", id: 1, ...message },
            { headers: { "hivegate-registry": "1" } },
          );
        });
      const heard: unknown[] = [];
      const access = (key?: string) =>
        post("/resources/access", { server_name: "demo", uri: "file:///a.txt" }, key);
      const place = { uri: "file:///a.txt", server_name: "demo" };
      answer({ result: { contents: [{ uri: place.uri, mimeType: "text/plain", text: "hello" }] } });
      expect(await access()).toEqual([
        200,
        { success: true, content: "hello", mime_type: "text/plain", error: null, ...place },
      ]);
      expect(heard).toMatchObject([{ method: "resources/read", params: { uri: place.uri } }]);
      answer({ error: { code: -32002, message: "Resource not found" } });
      expect(await access()).toEqual([
        200,
        { success: false, content: null, mime_type: null, error: "Resource not found", ...place },
      ]);
      expect((await access(ONE_TOOL))[1]).toMatchObject({ success: false });
      expect(await access(NO_TOOLS)).toMatchObject([403, { detail: expect.any(String) }]);
      expect(heard.length).toBe(2);
    });
  },
  { env: { API_KEYS, MCP_RULES } },
);
