import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Identity, Permission } from "../../../../shared/auth/permission.ts";
import { HivegateError } from "../../../../shared/errors.ts";
import { CreateTask, type HybridHealth } from "../../../../shared/protocol/sidecar.ts";
import { accessOf } from "../../../../worker/mcp/access.ts";
import type { GatewayToolCaller } from "../../../../worker/mcp/gateway-tool.ts";
import { GatewayTools } from "../../../../worker/mcp/gateway-tools.ts";
import type { AccessRule } from "../../../../worker/mcp/rules.ts";
import { SidecarClient } from "../../../../worker/sidecar-client.ts";
import { aTask } from "../../../support/agents.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { aServer, aTool } from "./setup.ts";

const TASK = aTask();
const TASK_PATH = `/v1/tasks/${TASK.taskId}`;
const HEALTH: HybridHealth = {
  ...{ system: "hybrid_docker_mcp", overall_status: "healthy", note: "all is well", timestamp: 1 },
  components: {
    docker_hive_mind: { status: "healthy", timestamp: 1 },
    mcp_telemetry: { mcp_services: [], overall_mcp_health: "healthy" },
  },
};

/** The gateway's tools for a client with these permissions, before a sidecar that gives these answers. */
function gatewayFor(
  permissions: Permission[],
  answers: Record<string, unknown> = {},
  rules: AccessRule[] = [],
) {
  const asked: { route: string; body: unknown }[] = [];
  const logged: unknown[] = [];
  const sidecar = new SidecarClient({
    ...{ hive: "default", url: "http://sidecar:9700", key: { kid: "k", mac: () => new Uint8Array(32) } },
    fetch: async (url, { method, body }) => {
      const route = `${method} ${new URL(url).pathname}`;
      asked.push({
        route,
        body: body instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(body)) : null,
      });
      const answer = answers[route];
      if (answer instanceof HivegateError)
        return Response.json(answer.toBody(), { status: answer.httpStatus });
      return Response.json(answer);
    },
    ...{ sha256: () => new Uint8Array(32), clock: new ManualClock(), nonce: () => "nonce-0123456789" },
  });
  const servers = [
    aServer({
      tools: [aTool({ name: "agent_list", title: "Agents", readOnly: true }), aTool({ name: "agent_stop" })],
    }),
    aServer({ name: "other", tools: [aTool({ name: "agent_list", category: "agents" })] }),
  ];
  const tools = new GatewayTools({
    ...{ sidecar: () => sidecar, registry: { servers: async () => servers }, health: async () => HEALTH },
    ...{ now: () => 1, uuid: () => TASK.taskId, log: (_, error) => logged.push(error) },
  });
  const identity: Identity = { subject: "anna", hives: ["*"], permissions, scope: {}, expiresMs: 1e15 };
  const caller: GatewayToolCaller = {
    ...{ hive: "default", identity, access: accessOf(identity, rules), signal: new AbortController().signal },
    callTool: async ({ tool }) => {
      if (tool === "other__agent_list") throw new HivegateError("rate_limited");
      return { result: { called: tool } };
    },
  };
  const call = (name: string, given: unknown, version = "2025-11-25") =>
    tools.call(`hivegate__${name}`, given, caller, version);
  const list = () => tools.list(identity, caller.access);
  const names = () => list().map(({ name }) => name);
  return { tools, call, list, names, asked, logged };
}

const ALWAYS = ["hivegate__search_tools", "hivegate__batch", "hivegate__hive_health"];

describe("the gateway's own tools", () => {
  it.each<[Permission[], string[]]>([
    [["tools:call"], []],
    [["tools:call", "tasks:read"], ["hivegate__get_task"]],
    [
      ["tools:call", "tasks:write"],
      ["hivegate__create_task", "hivegate__stop_task"],
    ],
  ])("T1 T6 shows a client with %j what it may use", async (permissions, more) => {
    const { names, call } = gatewayFor(permissions);
    expect(names().toSorted()).toEqual([...ALWAYS, ...more].toSorted());
    const hidden = ["create_task", "get_task", "stop_task"].filter(
      (name) => !more.includes(`hivegate__${name}`),
    );
    for (const name of [...hidden, "nobody", "toString", "__proto__"])
      await expect(call(name, {})).rejects.toMatchObject({ code: "unknown_tool" });
  });

  it("T6 shows nobody what the rules deny, and needs no permission for a server's tools", () => {
    const deny: AccessRule = { effect: "deny", roles: ["*"], tools: ["hivegate__*_task"] };
    const all: Permission[] = ["prompts:get", "tasks:read", "tasks:write"];
    expect(gatewayFor(all, {}, [deny]).names()).toHaveLength(6);
    const { roles: _, ...everybody } = deny;
    expect(gatewayFor(all, {}, [everybody]).names().toSorted()).toEqual(ALWAYS.toSorted());
  });

  it("T1 describes each by a schema of what goes in and comes out, and by hints", () => {
    const { list } = gatewayFor(["tools:call", "tasks:read", "tasks:write"]);
    for (const { inputSchema, outputSchema, annotations, title, description } of list()) {
      expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
      expect(outputSchema).toMatchObject({ type: "object" });
      expect(typeof annotations.readOnlyHint).toBe("boolean");
      expect(title && description).toBeTruthy();
    }
  });

  it("T2 search_tools finds what the client may call, the best first, and says how many there are", async () => {
    const found = async (permissions: Permission[], given: unknown) => {
      const { structuredContent } = await gatewayFor(permissions).call("search_tools", given);
      const { tools, total } = Found.parse(structuredContent);
      return [tools.map(({ tool }) => tool), total];
    };
    const [first, second, third] = ["demo__agent_list", "demo__agent_stop", "other__agent_list"];
    expect(await found(["tools:call"], {})).toEqual([[first, second, third], 3]);
    expect(await found(["tools:call"], { query: "stop agent", limit: 1 })).toEqual([[second], 3]);
    expect(await found(["tools:call"], { category: "agents" })).toEqual([[third], 1]);
    expect(await found(["tools:call"], { server: "demo" })).toEqual([[first, second], 2]);
    expect(await found(["tools:call:*_stop"], { query: "agent" })).toEqual([[second], 1]);
  });

  it("T4 batch calls each tool for the client, and tells of each", async () => {
    const { structuredContent, content } = await gatewayFor(["tools:call"]).call("batch", {
      calls: [
        { id: "b", tool: "demo__agent_list" },
        { id: 1, tool: "other__agent_list", arguments: { deep: true } },
      ],
    });
    expect(structuredContent).toMatchObject({
      results: [{ id: "b", result: { called: "demo__agent_list" } }],
      errors: [{ id: 1, error: { data: { code: "rate_limited", retryable: true } } }],
      total: 2,
    });
    expect(content).toEqual([{ type: "text", text: JSON.stringify(structuredContent) }]);
  });

  it("H1 create_task starts a task once under its key, in the client's name", async () => {
    const telemetry = { status: "telemetry_unavailable" };
    const { call, asked } = gatewayFor(["tools:call", "tasks:write"], {
      "POST /v1/tasks": { task: TASK, created: true, telemetry },
    });
    const given = { task: "count", priority: "critical", idempotencyKey: "k" };
    const { structuredContent, isError } = await call("create_task", given);
    await call("create_task", given);
    expect(isError).toBeUndefined();
    expect(structuredContent).toMatchObject({ task: { taskId: TASK.taskId }, created: true });
    const [first, again] = asked.map(({ body }) => CreateTask.parse(body));
    expect(first).toMatchObject({ task: "count", priority: "High" });
    expect(again).toEqual(first);
  });

  it("H4 get_task and stop_task tell of the task", async () => {
    const { call, asked } = gatewayFor(["tools:call", "tasks:read", "tasks:write"], {
      [`GET ${TASK_PATH}`]: { task: TASK },
      [`POST ${TASK_PATH}/stop`]: { task: { ...TASK, state: "stopped" } },
    });
    const { taskId } = TASK;
    expect(await call("get_task", { taskId })).toMatchObject({ structuredContent: { task: TASK } });
    expect(await call("stop_task", { taskId })).toMatchObject({
      structuredContent: { task: { state: "stopped" } },
    });
    expect(asked.map(({ route }) => route)).toEqual([`GET ${TASK_PATH}`, `POST ${TASK_PATH}/stop`]);
  });

  it("H7 hive_health tells what /health/hybrid tells, in either era's words", async () => {
    const { call } = gatewayFor(["tools:call"]);
    const old = await call("hive_health", undefined);
    expect(old.structuredContent).toEqual(HEALTH);
    expect(JSON.parse(old.content[0]?.text ?? "")).toEqual(HEALTH);
    expect(await call("hive_health", {}, "2026-07-28")).toEqual({ resultType: "complete", ...old });
  });

  it("T8 tells as a tool's error what was wrong, and what to do", async () => {
    const { call, logged } = gatewayFor(["tools:call", "tasks:read", "tasks:write"], {
      [`GET ${TASK_PATH}`]: new HivegateError("unknown_task"),
      [`POST ${TASK_PATH}/stop`]: new HivegateError("swarm_unavailable"),
    });
    const refusal = async (name: string, given: unknown) => {
      const { isError, content, structuredContent } = await call(name, given);
      expect([isError, structuredContent]).toEqual([true, undefined]);
      return JSON.parse(content[0]?.text ?? "");
    };
    const missing = await refusal("get_task", { taskId: TASK.taskId });
    expect(missing).toEqual(new HivegateError("unknown_task").toBody());
    for (const given of [{}, undefined, { taskId: "x" }, { taskId: TASK.taskId, more: 1 }])
      expect(await refusal("get_task", given)).toMatchObject({ code: "invalid_request" });
    expect(await refusal("batch", { calls: "all" })).toMatchObject({ code: "invalid_request" });
    expect(logged).toEqual([]);
    expect(await refusal("stop_task", { taskId: TASK.taskId })).toMatchObject({ retryable: true });
    expect(logged).toMatchObject([{ code: "swarm_unavailable" }]);
  });
});

const Found = z.object({ tools: z.array(z.object({ tool: z.string() })), total: z.number() });
