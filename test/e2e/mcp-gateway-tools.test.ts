/** The gateway's own tools, as the official SDK's client finds and calls them: it checks answers against their schemas. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Identity } from "../../shared/auth/permission.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { CLIENT_ERAS, mcpClient, textOf } from "../support/mcp-client.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";

let demo: Demo;
let mcp: McpSidecar;
let gateway: RunningGateway;
beforeAll(async () => {
  demo = await startDemo();
  mcp = await startMcpSidecar([{ name: "both", ...referenceStdio() }], demo.env);
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
});
afterAll(async () => {
  await gateway?.kill("SIGKILL");
  await mcp?.stop();
  await demo?.stop();
});

describe.each(CLIENT_ERAS)("the gateway's own tools, for a client of %s", (era) => {
  const connect = async (identity: Partial<Identity> = {}, path = "/mcp") =>
    mcpClient(`${gateway.url}${path}`, { token: await gateway.token(identity), era });

  it("T1 T6 stand beside the servers' tools at /mcp alone, for those who may use them", async () => {
    const named = async (...client: Parameters<typeof connect>) =>
      (await (await connect(...client)).listTools()).tools.map(({ name }) => name);
    const all = await named();
    expect(all).toContain("both__test_simple_text");
    expect(all).toContain("hivegate__create_task");
    const some = await named({ permissions: ["tools:call:both__test_simple_*", "tasks:read"] });
    expect(some.toSorted()).toEqual([
      ...["both__test_simple_text", "hivegate__batch", "hivegate__get_task"],
      ...["hivegate__hive_health", "hivegate__search_tools"],
    ]);
    expect((await named({}, "/mcp/both")).filter((name) => name.startsWith("hivegate__"))).toEqual([]);
  });

  it("T2 H7 find tools, and tell how the hive is", async () => {
    const client = await connect();
    await client.listTools();
    const found = await client.callTool({
      name: "hivegate__search_tools",
      arguments: { query: "simple text" },
    });
    expect(found.structuredContent).toMatchObject({
      tools: [{ tool: "both__test_simple_text", server: "both" }],
    });
    const health = await client.callTool({ name: "hivegate__hive_health" });
    expect(health.structuredContent).toMatchObject({ system: "hybrid_docker_mcp" });
  });

  it("T4 call several tools, each for itself", async () => {
    const client = await connect();
    await client.listTools();
    const calls = [
      { id: 1, tool: "both__test_simple_text" },
      { id: 2, tool: "both__no_such_tool" },
      { id: 3, tool: "hivegate__batch" },
      { id: 4, tool: "both__test_error_handling" },
    ];
    const batch = await client.callTool({ name: "hivegate__batch", arguments: { calls } });
    expect(batch.structuredContent).toMatchObject({
      results: [
        { id: 1, result: { content: [{ type: "text" }] } },
        { id: 4, result: { isError: true } },
      ],
      errors: [{ id: 2 }, { id: 3, error: { data: { code: "unknown_tool" } } }],
      total: 4,
    });
  });

  it("H1 H4 start a task, tell of it and stop it", async () => {
    const client = await connect();
    await client.listTools();
    const task = { task: `count primes below 1000000 for ${era}`, priority: "low" };
    const created = await client.callTool({ name: "hivegate__create_task", arguments: task });
    expect(created.structuredContent).toMatchObject({ created: true, task: { priority: "Low" } });
    const { taskId } = JSON.parse(textOf(created)).task;
    const looked = await client.callTool({ name: "hivegate__get_task", arguments: { taskId } });
    expect(looked.structuredContent).toMatchObject({ task: { taskId, task: task.task } });
    const stop = async () => client.callTool({ name: "hivegate__stop_task", arguments: { taskId } });
    expect(await stop()).toMatchObject({ structuredContent: { task: { taskId } } });
    const unknown = crypto.randomUUID();
    const none = await client.callTool({ name: "hivegate__get_task", arguments: { taskId: unknown } });
    expect(none.isError).toBe(true);
    expect(textOf(none)).toContain("unknown_task");
  });
});
