/** The registry at a real sidecar, over the demo swarm and a server that a test scripts; and equal calls of that server's tools. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import {
  JOINED_HEADER,
  REGISTRY_HEADER,
  RegistryAnswer,
  UNAVAILABLE_META,
} from "../../shared/protocol/tools.ts";
import { startDemo } from "../support/demo.ts";
import { type Client, startLineServer } from "../support/line-server.ts";
import { mcpClient } from "../support/mcp-client.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { signedFetch, TEST_KEYS } from "../support/sidecar.ts";
import { modernFetch, signingFetch } from "../support/signed-mcp.ts";

const SOON = { timeout: 10_000, interval: 20 };

/** A sidecar with the demo and a server whose tools can be changed, and which answers calls when it is told to. */
async function setUp() {
  const script = { tools: ["wait"], held: [] as (() => void)[] };
  const scripted = ({ id, method, params }: JsonRpcRequest, client: Client): void => {
    const reply = (result: object) => client.send({ jsonrpc: "2.0", id, result });
    const text = `called ${params?.name}`;
    if (id === undefined) return;
    if (method === "initialize") {
      const capabilities = { tools: { listChanged: true } };
      reply({ protocolVersion: "2025-06-18", serverInfo: { name: "scripted", version: "1" }, capabilities });
    } else if (method === "tools/list") {
      const annotations = { readOnlyHint: true };
      reply({ tools: script.tools.map((name) => ({ name, inputSchema: { type: "object" }, annotations })) });
    } else if (method === "tools/call") script.held.push(() => reply({ content: [{ type: "text", text }] }));
    else reply({});
  };
  const line = await startLineServer(scripted);
  const demo = await startDemo();
  onTestFinished(() => demo.stop());
  const host = "127.0.0.1";
  const { sidecar, stop } = await startMcpSidecar(
    [
      { name: "demo", type: "tcp", profile: "demo", host, port: demo.mcpPort },
      { name: "line", host, port: line.port, category: "mine", cache: { tools: { "w*": 7_000 } } },
    ],
    { SIDECAR_KEYS: TEST_KEYS },
  );
  onTestFinished(stop);
  const base = `${sidecar.url}/v1`;
  const ask = async (query = ""): Promise<RegistryAnswer> =>
    RegistryAnswer.parse(await (await signedFetch(`${base}/registry${query}`)).json());
  const call = (client: string, join: string) =>
    modernFetch(`${base}/mcp/line?client=${client}&join=${join}`, {
      ...{ method: "tools/call", name: "wait", params: { name: "wait", arguments: {} } },
    });
  return { script, scripted, line, base, ask, call };
}

const toolsOf = ({ servers }: RegistryAnswer, name: string) =>
  servers.find((server) => server.name === name)?.tools.map((tool) => tool.name);

describe("the registry of a sidecar", () => {
  it("T2 tells and finds the tools of all servers, each of which is connected to once", async () => {
    const { base, ask, line } = await setUp();
    const [answer] = await Promise.all([ask(), ask(), ask()]);
    expect(answer.servers.map(({ name, status, era }) => [name, status, era])).toEqual([
      ["demo", "available", "2025"],
      ["line", "available", "2025"],
    ]);
    const [agents] = (await ask("?query=agents+list&server=demo")).servers;
    expect(agents?.tools[0]).toMatchObject({ name: "agent_list", category: "agents", cacheable: null });
    const mine = await ask("?category=mine&limit=3");
    expect(toolsOf(mine, "demo")).toEqual([]);
    expect(mine.servers[1]?.tools).toMatchObject([{ name: "wait", cacheable: true, cacheTtlMs: 7_000 }]);
    expect((await signedFetch(`${base}/registry?limit=0`)).status).toBe(400);
    expect(line.accepted()).toBe(1);
    const metrics = await (await fetch(new URL("/metrics", base))).text();
    expect(metrics).toMatch(/^hivegate_mcp_tools\{server="line",.*\} 1$/m);
  });

  it("T2 says in few bytes that nothing has changed", async () => {
    const { base, ask } = await setUp();
    const { version } = await ask();
    const same = await signedFetch(`${base}/registry`, { headers: { "if-none-match": `"${version}"` } });
    expect([same.status, await same.text(), same.headers.get(REGISTRY_HEADER)]).toEqual([304, "", version]);
    const other = await signedFetch(`${base}/registry`, { headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
  });

  it("T2 hears of other tools by a notice, and of a restart with the next answer", async () => {
    const { ask, script, line, call } = await setUp();
    const before = await ask();
    script.tools = ["wait", "another"];
    for (const client of line.clients) {
      client.send({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    }
    await vi.waitFor(async () => expect(toolsOf(await ask(), "line")).toEqual(script.tools), SOON);
    const after = await ask();
    expect(after.version).not.toBe(before.version);
    expect(after.servers[0]?.version).toBe(before.servers[0]?.version);

    script.tools = ["wait"];
    for (const client of line.clients) client.drop();
    await vi.waitFor(() => expect(line.clients.size).toBe(0), SOON);
    const calling = call("a", "k");
    await vi.waitFor(() => expect(script.held).toHaveLength(1), SOON);
    script.held.pop()?.();
    expect((await calling).headers.get(REGISTRY_HEADER)).not.toBe(after.version);
    expect(toolsOf(await ask(), "line")).toEqual(script.tools);
  });

  it("T2 leaves out a server that has gone, says so, and has it again when it is back", async () => {
    const { base, ask, line, scripted } = await setUp();
    const client = await mcpClient(`${base}/mcp?client=a`, { era: "2025", fetch: signingFetch });
    await client.listTools();
    await line.close();
    await vi.waitFor(async () => {
      const { tools, _meta } = await client.listTools();
      expect(_meta).toEqual({ [UNAVAILABLE_META]: ["line"] });
      expect(tools.every(({ name }) => name.startsWith("demo__"))).toBe(true);
    }, SOON);
    await expect(client.callTool({ name: "line__wait" })).rejects.toThrow();
    expect((await ask("?server=line")).servers).toMatchObject([
      { status: "unavailable", tools: [{ name: "wait" }] },
    ]);
    await startLineServer(scripted, { port: line.port });
    await vi.waitFor(async () => {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toContain("line__wait");
    }, SOON);
    await vi.waitFor(() => expect(client.heard).toContain("notifications/tools/list_changed"), SOON);
  });
});

describe("equal calls", () => {
  it("T3 of one client reach the server once, and no others with them", async () => {
    const { script, call } = await setUp();
    const first = call("a", "k");
    await vi.waitFor(() => expect(script.held).toHaveLength(1), SOON);
    const calls = [first, call("a", "k"), call("b", "k"), call("a", "other"), call("a", "k")];
    await vi.waitFor(() => expect(script.held).toHaveLength(3), SOON);
    for (const answer of script.held) answer();
    const answers = await Promise.all(calls);
    for (const answer of answers) {
      expect(await answer.json()).toMatchObject({ id: 1, result: { content: [{ text: "called wait" }] } });
    }
    expect(script.held).toHaveLength(3);
    expect(answers.map(({ headers }) => headers.has(JOINED_HEADER))).toEqual([
      false,
      true,
      false,
      false,
      true,
    ]);
  });
});

describe("a call whose answer is lost with the connection", () => {
  it("T1 T2 is made once more where its server says that the tool only reads", async () => {
    const { ask, script, line, call } = await setUp();
    await ask();
    const calling = call("a", "k");
    await vi.waitFor(() => expect(script.held).toHaveLength(1), SOON);
    for (const client of line.clients) client.drop();
    await vi.waitFor(() => expect(script.held).toHaveLength(2), SOON);
    script.held[1]?.();
    expect(await (await calling).json()).toMatchObject({ result: { content: [{ text: "called wait" }] } });
    expect(line.accepted()).toBe(2);
  });
});
