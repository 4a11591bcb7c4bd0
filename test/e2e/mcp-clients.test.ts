/**
 * The official SDK's client against a server behind the gateway, in all ways that the eras of the two can meet, on both
 * hosts of the gateway. The servers are the reference server as a stdio child: one that speaks both eras, and one as they
 * were before 2026-07-28.
 */
import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { CLIENT_ERAS, mcpClient, textOf } from "../support/mcp-client.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";

const SOON = { timeout: 10_000, interval: 20 };
const WATCHED = { uri: "test://watched-resource" };

const EDGES = { workerd: startGateway, deno: startDenoGateway };

describe.each(["workerd", "deno"] as const)("behind the gateway on %s,", (edge) => {
  let mcp: McpSidecar;
  let gateway: RunningGateway;
  beforeAll(async () => {
    mcp = await startMcpSidecar([
      { name: "both", ...referenceStdio() },
      { name: "old", ...referenceStdio({ only2025: true }) },
    ]);
    gateway = await EDGES[edge]({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
  });
  afterAll(async () => {
    await gateway?.kill("SIGKILL");
    await mcp?.stop();
  });

  // How eras meet is the sidecar's work, and the same behind each host.
  const servers = edge === "workerd" ? ["both", "old"] : ["both"];
  const ways = CLIENT_ERAS.flatMap((era) => servers.map((server) => ({ era, server })));

  describe.each(ways)("a client of $era with the server that is $server", ({ era, server }) => {
    const connect = async () =>
      mcpClient(`${gateway.url}/mcp/${server}`, { token: await gateway.token(), era });
    const is2025 = era === "2025";

    it("T1 finds and calls the server's tools under their own names", async () => {
      const client = await connect();
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toContain("test_image_content");
      const answer = await client.callTool({ name: "test_multiple_content_types" });
      expect(answer.content.map(({ type }) => type)).toEqual(["text", "image", "resource"]);
      const failed = await client.callTool({ name: "test_error_handling" });
      expect(failed).toMatchObject({ isError: true });
      await expect(client.callTool({ name: "no_such_tool" })).rejects.toMatchObject({ code: -32602 });
    });

    it("T1 reads the server's resources and prompts, and completes their arguments", async () => {
      const client = await connect();
      const { resources } = await client.listResources();
      expect(resources.map(({ uri }) => uri)).toContain("test://static-binary");
      const { resourceTemplates } = await client.listResourceTemplates();
      expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(["test://template/{id}/data"]);
      const { contents } = await client.readResource({ uri: "test://template/7/data" });
      expect(contents).toMatchObject([{ text: '{"id":"7"}' }]);
      const { messages } = await client.getPrompt({
        name: "test_prompt_with_arguments",
        arguments: { arg1: "one", arg2: "two" },
      });
      expect(JSON.stringify(messages)).toContain("arg1='one', arg2='two'");
      const { completion } = await client.complete({
        ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
        argument: { name: "arg1", value: "o" },
      });
      expect(completion.values).toEqual(["o-completed"]);
    });

    it("T1 hears of a call's progress while it runs", async () => {
      const client = await connect();
      const progress: number[] = [];
      const onprogress = (said: { progress: number }) => void progress.push(said.progress);
      await client.callTool({ name: "test_tool_with_progress" }, { onprogress });
      expect(progress).toEqual([0, 50, 100]);
    });

    it("T1 takes a call back, and the server hears of it", async () => {
      const client = await connect();
      const count = async () => Number(textOf(await client.callTool({ name: "test_cancelled_count" })));
      const before = await count();
      const waits = new AbortController();
      const { signal } = waits;
      const onprogress = () => waits.abort();
      await expect(client.callTool({ name: "test_wait" }, { signal, onprogress })).rejects.toThrow();
      await vi.waitFor(async () => expect(await count()).toBe(before + 1), SOON);
    });

    it("T1 is asked by the server while a call runs: its user, its model, its roots", async () => {
      const client = await connect();
      const elicited = await client.callTool({ name: "test_elicitation", arguments: { message: "Sure?" } });
      expect(textOf(elicited)).toContain("action=accept");
      expect(textOf(elicited)).toContain('"response":"yes"');
      const sampled = await client.callTool({ name: "test_sampling", arguments: { prompt: "Capital?" } });
      expect(textOf(sampled)).toBe("Model: Paris");
      const roots = await client.callTool({ name: "test_input_required_result_list_roots" });
      expect(textOf(roots)).toContain("file:///home/ada");
      expect(client.asked).toEqual(["Sure?", expect.stringContaining("Capital?"), "roots"]);
    });

    it("T1 is asked several times in one call, by tools and prompts, and the server remembers", async () => {
      const client = await connect();
      const rounds = await client.callTool({ name: "test_input_required_result_multi_round" });
      expect(textOf(rounds)).toBe("Ada, then Ada");
      const { messages } = await client.getPrompt({ name: "test_input_required_result_prompt" });
      expect(messages).toHaveLength(1);
      expect(client.asked).toEqual(["Step 1: a name?", "Step 2: a name?", "What is it about?"]);
    });

    it("T1 gets log lines when it asks for them", async () => {
      const client = await connect();
      if (is2025) await client.setLoggingLevel("info");
      const _meta = is2025 ? {} : { [LOG_LEVEL_META_KEY]: "info" };
      await client.callTool({ name: "test_tool_with_logging", _meta });
      const lines = () => client.heard.filter((method) => method === "notifications/message");
      await vi.waitFor(() => expect(lines()).toHaveLength(3), SOON);
    });

    it("T1 hears that tools and a resource changed, once it listens", async () => {
      const client = await connect();
      if (is2025) await client.subscribeResource(WATCHED);
      else await client.listen({ toolsListChanged: true, resourceSubscriptions: [WATCHED.uri] });
      await client.callTool({ name: "test_trigger_tool_change" });
      await client.callTool({ name: "test_trigger_resource_update" });
      await vi.waitFor(
        () =>
          expect(client.heard).toEqual(
            expect.arrayContaining(["notifications/tools/list_changed", "notifications/resources/updated"]),
          ),
        SOON,
      );
    });
  });
});
