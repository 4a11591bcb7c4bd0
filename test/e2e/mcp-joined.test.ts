/**
 * All servers as one, at a real sidecar, for the official SDK's client: the demo swarm over TCP, and the reference server as a
 * stdio child, one that speaks both eras and one that is of 2025.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SERVER_HEADER, SERVER_META } from "../../shared/protocol/tools.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { CLIENT_ERAS, mcpClient, textOf } from "../support/mcp-client.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";
import { TEST_KEYS } from "../support/sidecar.ts";
import { modernFetch, signingFetch } from "../support/signed-mcp.ts";

const SOON = { timeout: 10_000, interval: 20 };
const WATCHED = { uri: "test://watched-resource" };

let demo: Demo;
let mcp: McpSidecar;
let url: string;
beforeAll(async () => {
  demo = await startDemo();
  mcp = await startMcpSidecar(
    [
      { name: "demo", profile: "demo", host: "127.0.0.1", port: demo.mcpPort },
      { name: "both", ...referenceStdio() },
      { name: "old", ...referenceStdio({ only2025: true }) },
    ],
    { SIDECAR_KEYS: TEST_KEYS },
  );
  url = `${mcp.sidecar.url}/v1/mcp`;
});
afterAll(async () => {
  await mcp?.stop();
  await demo?.stop();
});

describe.each(CLIENT_ERAS)("all servers as one, for a client of %s", (era) => {
  const connect = () => mcpClient(`${url}?client=client-${era}`, { era, fetch: signingFetch });

  it("T1 T2 offers all tools under their servers' names, and each of them works", async () => {
    const client = await connect();
    const names = (await client.listTools()).tools.map(({ name }) => name);
    const expected = ["demo__agent_list", "both__test_simple_text", "old__test_simple_text"];
    expect(names.filter((name) => expected.includes(name))).toEqual(expected);
    const listed = await client.callTool({ name: "demo__agent_list", arguments: {} });
    expect(listed.structuredContent).toEqual({ agents: [] });
    for (const server of ["both", "old"]) {
      const answer = await client.callTool({ name: `${server}__test_simple_text` });
      expect(textOf(answer)).toBe("This is a simple text response for testing.");
    }
    for (const name of ["nobody__test", "test", "both__nothing"]) {
      await expect(client.callTool({ name })).rejects.toMatchObject({ code: -32602 });
    }
  });

  it("T1 T2 brings what a server asks in the course of a call to the client, whichever era either speaks", async () => {
    const client = await connect();
    for (const server of ["both", "old"]) {
      const message = `Asked by ${server}`;
      const answer = await client.callTool({ name: `${server}__test_elicitation`, arguments: { message } });
      expect(textOf(answer)).toContain("accept");
    }
    expect(client.asked).toEqual(["Asked by both", "Asked by old"]);
  });

  it("T1 T2 reads resources from the first server that has them, and prompts by their names", async () => {
    const client = await connect();
    const { resources } = await client.listResources();
    const uris = resources.map(({ uri }) => uri);
    expect(new Set(uris).size).toBe(uris.length);
    const [text] = resources.filter(({ uri }) => uri === "test://static-text");
    expect(text?._meta).toEqual({ [SERVER_META]: "both" });
    const { contents } = await client.readResource({ uri: "test://template/7/data" });
    expect(contents).toMatchObject([{ text: '{"id":"7"}' }]);
    const { messages } = await client.getPrompt({
      name: "old__test_prompt_with_arguments",
      arguments: { arg1: "one", arg2: "two" },
    });
    expect(JSON.stringify(messages)).toContain("arg1='one', arg2='two'");
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "both__test_prompt_with_arguments" },
      argument: { name: "arg1", value: "x" },
    });
    expect(completion.values).toEqual(["x-completed"]);
  });

  it("T1 T2 hears of a call's progress, and takes a call back", async () => {
    const client = await connect();
    for (const server of ["both", "old"]) {
      const progress: number[] = [];
      const onprogress = (said: { progress: number }) => void progress.push(said.progress);
      await client.callTool({ name: `${server}__test_tool_with_progress` }, { onprogress });
      expect(progress).toEqual([0, 50, 100]);

      const count = async () =>
        Number(textOf(await client.callTool({ name: `${server}__test_cancelled_count` })));
      const before = await count();
      const waits = new AbortController();
      const options = { signal: waits.signal, onprogress: () => waits.abort() };
      await expect(client.callTool({ name: `${server}__test_wait` }, options)).rejects.toThrow();
      await vi.waitFor(async () => expect(await count()).toBe(before + 1), SOON);
    }
  });

  it("T1 T2 hears of changes at any of the servers, once it listens", async () => {
    const client = await connect();
    if (era === "2025") await client.subscribeResource(WATCHED);
    else await client.listen({ toolsListChanged: true, resourceSubscriptions: [WATCHED.uri] });
    const changes = () =>
      client.heard.filter((method) => method === "notifications/tools/list_changed").length;
    for (const server of ["both", "old"]) {
      const before = changes();
      await client.callTool({ name: `${server}__test_trigger_tool_change` });
      await vi.waitFor(() => expect(changes()).toBeGreaterThan(before), SOON);
    }
    await client.callTool({ name: "both__test_trigger_resource_update" });
    await vi.waitFor(() => expect(client.heard).toContain("notifications/resources/updated"), SOON);
  });
});

describe("an answer of all servers as one", () => {
  it("T1 says which server it is from, where it is from one", async () => {
    const uri = "test://static-text";
    const read = { method: "resources/read", name: uri, params: { uri } };
    const { headers } = await modernFetch(`${url}?client=x`, read);
    expect(headers.get(SERVER_HEADER)).toBe("both");
  });
});
