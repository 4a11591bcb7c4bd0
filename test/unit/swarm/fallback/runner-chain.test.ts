import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { platformClock } from "../../../../shared/clock.ts";
import { HivegateError } from "../../../../shared/errors.ts";
import { McpRunner } from "../../../../sidecar/swarm/fallback/mcp-runner.ts";
import { type HybridFlags, RunnerChain } from "../../../../sidecar/swarm/fallback/runner-chain.ts";
import type { TaskRunner } from "../../../../sidecar/swarm/fallback/task-runner.ts";
import { silentLog, TASK_ID } from "../../sidecar/fakes.ts";
import { caught, heard, REQUEST, scripted, upstreamOf } from "./scripted.ts";

type Code = HivegateError["code"];

const FLAGS: HybridFlags = { dockerPrimary: true, dockerFallback: true, mcpFallback: true };

/** Commands and a server, each of which fails by a code, or not. Says who was asked, in order. */
function chain({ flags = FLAGS, commands = null, mcp = null, ...given }: Partial<Setup> = {}) {
  const state = { servers: given.servers ?? true };
  const asked: string[] = [];
  const work = (who: string, code: Code | null) => {
    asked.push(who);
    if (code) throw new HivegateError(code, `${who} failed.`);
  };
  const byCommand: TaskRunner = {
    method: "docker-exec",
    async start() {
      work("docker", commands);
      return { exit: Promise.resolve({ exitCode: 0 }) };
    },
    async canStart() {
      return commands === null;
    },
    async recover() {
      asked.push("docker");
      return { status: "never_started" };
    },
    async stop() {
      asked.push("docker");
    },
    async swarms() {
      work("docker", commands);
      return [];
    },
  };
  const server = scripted("demo", {
    task_orchestrate: ({ taskId }) => {
      work("mcp", mcp);
      return { taskId, swarmId: "swarm-1" };
    },
    agent_list: () => {
      work("mcp", mcp);
      return { agents: [] };
    },
    agent_metrics: () => ({ agents: [] }),
    swarm_topology: () => ({ swarms: [] }),
    task_stop: () => asked.push("mcp"),
    task_status: ({ taskId }) => ({ taskId, swarmId: "swarm-1", status: "active" }),
  });
  const runner = new McpRunner({
    upstreams: () => (state.servers ? [upstreamOf(server)] : []),
    clock: platformClock,
    log: silentLog,
  });
  return { runners: new RunnerChain(byCommand, runner, flags), asked, state };
}
type Setup = { flags: HybridFlags; commands: Code | null; mcp: Code | null; servers: boolean };

const start = (setup: Partial<Setup>) => {
  const { runners, asked } = chain(setup);
  const started = runners.start(REQUEST, heard().callbacks).finally(() => runners.letGo(TASK_ID));
  return started.then(
    () => ({ asked, failed: null }),
    (thrown: HivegateError) => ({ asked, failed: thrown }),
  );
};

it.each<[boolean, Partial<Setup>]>([
  [true, {}],
  [true, { commands: "swarm_unavailable" }],
  [false, { commands: "swarm_unavailable", servers: false }],
])("H9 whether anybody can start a task is %s: %o", async (canStart, setup) => {
  const { runners, asked } = chain(setup);
  expect([await runners.canStart(), asked]).toEqual([canStart, []]);
});

describe("who does a task", () => {
  const only = (flags: Partial<HybridFlags>): HybridFlags => ({
    ...{ dockerPrimary: false, dockerFallback: false, mcpFallback: false },
    ...flags,
  });
  const away = "swarm_unavailable";

  it.each<[string, HybridFlags, { servers?: boolean }, string[], string[], string[]]>([
    [
      "docker, then MCP",
      only({ dockerPrimary: true, mcpFallback: true }),
      {},
      ["docker"],
      ["docker", "mcp"],
      ["docker"],
    ],
    ["docker alone", only({ dockerPrimary: true }), {}, ["docker"], ["docker"], ["docker"]],
    [
      "docker alone, for want of a server",
      only({ dockerPrimary: true, mcpFallback: true }),
      { servers: false },
      ["docker"],
      ["docker"],
      ["docker"],
    ],
    [
      "MCP, then docker",
      only({ mcpFallback: true, dockerFallback: true }),
      {},
      ["mcp"],
      ["mcp"],
      ["mcp", "docker"],
    ],
    ["MCP alone", only({ mcpFallback: true }), {}, ["mcp"], ["mcp"], ["mcp"]],
  ])("H3 H8 %s", async (_, flags, more, bothWell, dockerAway, mcpRefuses) => {
    expect((await start({ flags, ...more })).asked).toEqual(bothWell);
    expect((await start({ flags, ...more, commands: away })).asked).toEqual(dockerAway);
    expect((await start({ flags, ...more, mcp: "mcp_failed" })).asked).toEqual(mcpRefuses);
  });

  it("C1 H3 H8 whoever takes tasks at that moment is asked, and for want of anybody the refusal says so", async () => {
    const { runners, asked, state } = chain({ flags: only({ mcpFallback: true }), servers: false });
    const begin = () => runners.start(REQUEST, heard().callbacks).finally(() => runners.letGo(TASK_ID));
    expect(await runners.canStart()).toBe(false);
    expect(await caught(begin())).toMatchObject({
      code: "mcp_unavailable",
      message: expect.stringContaining("no MCP server that can is configured"),
    });
    state.servers = true;
    expect(await runners.canStart()).toBe(true);
    await begin();
    expect(asked).toEqual(["mcp"]);
    state.servers = false;
    await caught(begin());
    expect(asked).toEqual(["mcp"]);
  });

  it.each<Code>(["swarm_unavailable", "swarm_failed", "timeout", "circuit_open"])(
    "H3 a command that fails to start by %s leaves the task to MCP",
    async (commands) => {
      expect(await start({ commands })).toEqual({ asked: ["docker", "mcp"], failed: null });
    },
  );

  it.each<Code>(["container_not_allowed", "overloaded", "internal", "shutting_down"])(
    "H3 %s is no reason to do it elsewhere",
    async (commands) => {
      const { asked, failed } = await start({ commands });
      expect([asked, failed?.code]).toEqual([["docker"], commands]);
    },
  );

  it.each([FLAGS, { ...FLAGS, dockerPrimary: false }])(
    "H3 both failing is one error with docker's code that names both causes: %o",
    async (flags) => {
      const { failed } = await start({ flags, commands: "swarm_unavailable", mcp: "mcp_failed" });
      expect(failed?.code).toBe("swarm_unavailable");
      expect(failed?.message).toContain("docker: docker failed.");
      expect(failed?.message).toContain("MCP: mcp failed.");
    },
  );

  it("H9 nobody is asked after one that may have the task, whatever the flags and failures", async () => {
    const ofCommands = fc.constantFrom<(Code | null)[]>(null, "swarm_unavailable", "timeout", "overloaded");
    const ofServer = fc.constantFrom<(Code | null)[]>(null, "mcp_failed", "timeout", "mcp_unavailable");
    const flags = fc.record({
      dockerPrimary: fc.boolean(),
      dockerFallback: fc.boolean(),
      mcpFallback: fc.constant(true),
    });
    await fc.assert(
      fc.asyncProperty(flags, ofCommands, ofServer, async (given, commands, mcp) => {
        const { asked, failed } = await start({ flags: given, commands, mcp });
        expect(new Set(asked).size).toBe(asked.length);
        // A server that did not answer may have it.
        const mayHave = { docker: commands === null, mcp: mcp !== "mcp_failed" };
        const has = asked.filter((who) => (who === "docker" ? mayHave.docker : mayHave.mcp));
        expect(has).toEqual(failed === null ? asked.slice(-1) : []);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a task that was started", () => {
  it("H9 is found again by the one that has it, whatever the flags say by then", async () => {
    const { runners, asked } = chain({ flags: { ...FLAGS, mcpFallback: false } });
    const recovery = await runners.recover(
      { taskId: TASK_ID, handle: `mcp:{"server":"flow","id":"${TASK_ID}"}` },
      heard().callbacks,
    );
    expect([recovery.status, asked]).toEqual(["running", []]);
    await runners.stop(TASK_ID, { graceMs: 1 });
    expect(asked).toEqual(["mcp"]);
    runners.letGo(TASK_ID);
  });

  it.each([null, "0f".repeat(32)])("H9 by command, it stays with the commands: handle %s", async (handle) => {
    const { runners, asked } = chain({ flags: { ...FLAGS, dockerPrimary: false } });
    await runners.recover({ taskId: TASK_ID, handle }, heard().callbacks);
    await runners.stop(TASK_ID, { graceMs: 1 });
    expect(asked).toEqual(["docker", "docker"]);
  });
});

describe("the swarms", () => {
  it("H4 are told by MCP, marked as such, where docker does not tell", async () => {
    expect(await chain().runners.swarms()).toEqual({ swarms: [], method: "docker-exec" });
    const { runners } = chain({ commands: "circuit_open" });
    expect(await runners.swarms()).toEqual({ swarms: [], method: "mcp-fallback" });
  });

  it("H4 else it is one clear error", async () => {
    const { runners } = chain({ commands: "circuit_open", mcp: "timeout" });
    const { code, message } = await caught(runners.swarms());
    expect([code, message]).toEqual(["circuit_open", "docker: docker failed. MCP: mcp failed."]);
  });
});
