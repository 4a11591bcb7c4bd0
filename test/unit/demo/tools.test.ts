import { describe, expect, it } from "vitest";
import { createRpc } from "../../../sidecar/demo/rpc.ts";
import { hiveTools } from "../../../sidecar/demo/tools.ts";
import { fakeHive } from "./fake-hive.ts";

function demo() {
  const { hive, agents } = fakeHive();
  const rpc = createRpc(hiveTools(hive));
  const call = (name: string, args?: Record<string, unknown>) =>
    rpc({ jsonrpc: "2.0", id: "1", method: "tools/call", params: { name, arguments: args } });
  return { rpc, call, agents };
}

const data = (structuredContent: object) => ({
  id: "1",
  result: { content: [{ type: "text", text: expect.any(String) }], structuredContent },
});
const failure = (text: string) => ({
  id: "1",
  result: { isError: true, content: [{ type: "text", text: expect.stringContaining(text) }] },
});

describe("the tools of the demo swarm", () => {
  it("T2 are listed with a schema each", async () => {
    const { rpc } = demo();
    const answer = await rpc({ jsonrpc: "2.0", id: 7, method: "tools/list" });
    const schema = (required: string[]) => expect.objectContaining({ type: "object", required });
    expect(answer).toMatchObject({
      id: 7,
      result: {
        tools: [
          { name: "agent_list" },
          { name: "agent_metrics" },
          { name: "swarm_topology" },
          { name: "swarm_status", inputSchema: { properties: { swarmId: { type: "string" } } } },
          { name: "task_orchestrate", inputSchema: schema(["task"]) },
          { name: "task_status", inputSchema: schema(["taskId"]) },
          { name: "task_stop", inputSchema: schema(["swarmId"]) },
          { name: "task_pause", inputSchema: schema(["swarmId"]) },
          { name: "task_resume", inputSchema: schema(["swarmId"]) },
        ],
      },
    });
  });

  it("H3 start a task, tell how it goes, and answer with the same object as text", async () => {
    const { call, agents } = demo();
    const task = "count primes below 20000";
    const order = { task, priority: "critical", strategy: "balanced", taskId: "t-1" };
    const started = { taskId: "t-1", swarmId: "swarm-id-1", status: "active", workerCount: 2 };
    const answer = await call("task_orchestrate", order);
    expect(answer).toEqual({
      jsonrpc: "2.0",
      id: "1",
      result: { content: [{ type: "text", text: JSON.stringify(started) }], structuredContent: started },
    });
    agents[0]?.work();
    const progress = { ...started, progress: 0.5, unitsDone: 1, unitsTotal: 2, result: null, error: null };
    expect(await call("task_status", { taskId: "t-1" })).toMatchObject(data(progress));
    agents[1]?.work();
    const end = { ...started, status: "completed", progress: 1, result: { below: 20_000, primes: 2262 } };
    expect(await call("task_status", { taskId: "swarm-id-1" })).toMatchObject(data(end));
    expect(await call("swarm_status", { swarmId: "swarm-id-1" })).toMatchObject(
      data({ swarms: [{ ...end, task, topology: "star", createdAt: 1_000_000, endedAt: 1_000_000 }] }),
    );
  });

  it("H4 stop a task once, and fail plainly after that", async () => {
    const { call } = demo();
    await call("task_orchestrate", { task: "x" });
    const swarm = { swarmId: "swarm-id-1" };
    expect(await call("task_stop", swarm)).toMatchObject(data({ ...swarm, status: "stopped" }));
    expect(await call("task_stop", swarm)).toEqual({ jsonrpc: "2.0", ...failure("already ended: stopped") });
    expect(await call("task_stop", { swarmId: "swarm-x" })).toMatchObject(failure("no such swarm"));
  });

  it("H4 let a task rest and go on, and neither when it has ended", async () => {
    const { call, agents } = demo();
    await call("task_orchestrate", { task: "count primes below 20000", priority: "Low" });
    const swarm = { swarmId: "swarm-id-1" };
    agents[0]?.work(1);
    for (const _ of [1, 2]) {
      expect(await call("task_pause", swarm)).toMatchObject(data({ ...swarm, status: "paused" }));
    }
    expect(agents[0]?.held).toBe(true);
    const paused = { swarmId: "swarm-id-1", status: "paused", endedAt: null, progress: 0.5 };
    expect(await call("swarm_status", {})).toMatchObject(data({ swarms: [paused] }));
    const statuses = [{ status: "paused" }, { status: "paused" }];
    expect(await call("agent_list", {})).toMatchObject(data({ agents: statuses }));
    expect(await call("task_resume", swarm)).toMatchObject(data({ ...swarm, status: "active" }));
    expect(agents[0]?.held).toBe(false);
    agents[0]?.work();
    expect(await call("task_pause", swarm)).toMatchObject(failure("already ended: completed"));
    expect(await call("task_resume", swarm)).toMatchObject(failure("already ended: completed"));
  });

  it("H4 count the unit that was begun before a pause, be it the last", async () => {
    const { call, agents } = demo();
    await call("task_orchestrate", { task: "count primes below 20000", priority: "Low" });
    await call("task_pause", { swarmId: "swarm-id-1" });
    agents[0]?.work();
    expect(await call("swarm_status", {})).toMatchObject(
      data({ swarms: [{ status: "completed", result: { primes: 2262 } }] }),
    );
  });

  it("S8 refuse arguments that do not fit, with a result that says which", async () => {
    const { call } = demo();
    expect(await call("task_orchestrate")).toMatchObject(failure("task"));
    expect(await call("task_orchestrate", { task: "a\0b" })).toMatchObject(failure("NUL"));
    expect(await call("task_orchestrate", { task: "x", maxWorkers: 0 })).toMatchObject(failure("maxWorkers"));
    expect(await call("task_status", { taskId: 5 })).toMatchObject(failure("taskId"));
  });

  it("T8 answer unknown tools and methods with -32601, notifications not at all", async () => {
    const { rpc, call } = demo();
    const unknown = { error: { code: -32601 } };
    expect(await call("demo_fault", { fault: "none" })).toMatchObject(unknown);
    expect(await call("toString")).toMatchObject(unknown);
    expect(await rpc({ jsonrpc: "2.0", id: 1, method: "resources/list" })).toMatchObject(unknown);
    expect(await rpc({ jsonrpc: "2.0", id: 1, method: "tools/call" })).toMatchObject(unknown);
    expect(await rpc({ jsonrpc: "2.0", method: "notifications/initialized" })).toBe(null);
    const unasked = { name: "task_orchestrate", arguments: { task: "x" } };
    expect(await rpc({ jsonrpc: "2.0", method: "tools/call", params: unasked })).toBe(null);
    expect(await call("agent_list")).toMatchObject(data({ agents: [] }));
  });
});
