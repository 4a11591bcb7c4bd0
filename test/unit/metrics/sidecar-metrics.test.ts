import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import type { ServerState } from "../../../shared/protocol/sidecar.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { SidecarMetrics } from "../../../sidecar/metrics/metrics.ts";
import { observedExecutor } from "../../../sidecar/metrics/observed-executor.ts";
import type { StateSources } from "../../../sidecar/metrics/state-metrics.ts";
import type { CollectorNews } from "../../../sidecar/telemetry/hub.ts";
import { samplesIn } from "../../support/metrics.ts";
import { FakeExecutor, succeeded } from "../sidecar/fakes.ts";

const newMetrics = () => new SidecarMetrics({ hive: "h", method: "docker-exec" });

/** One series' value; undefined when there is none. */
async function read(metrics: SidecarMetrics, name: string, labels: Record<string, string> = {}) {
  const wanted = Object.entries({ hive: "h", ...labels });
  const found = samplesIn(await metrics.scrape()).filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
  expect(found.length).toBeLessThan(2);
  return found[0]?.value;
}

const task = (change: Partial<Task>): Task => ({
  ...{ taskId: "0b9c1a52-98b2-4a3c-9a55-5a1b2ab6d5ee", task: "t", priority: "Medium", state: "queued" },
  ...{ method: "docker-exec", swarmId: null, createdAt: 1_000, spawningAt: null, startedAt: null },
  ...{ pausedAt: null, endedAt: null, timeoutMs: 60_000 },
  ...{ exitCode: null, error: null },
  ...change,
});
const RUNNING = { state: "running", spawningAt: 1_200, startedAt: 1_600 } as const;

describe("the sidecar's metrics", () => {
  it("H10 follow a task from its arrival to its end", async () => {
    const metrics = newMetrics();
    const started = () => read(metrics, "hivegate_tasks_started_total", { method: "docker-exec" });
    const ended = (outcome: string) =>
      read(metrics, "hivegate_tasks_ended_total", { method: "docker-exec", outcome });
    expect([await started(), await ended("completed")]).toEqual([0, 0]);
    metrics.tasks.changed(task({}));
    expect(await read(metrics, "hivegate_tasks", { state: "queued" })).toBe(1);
    expect(await started()).toBe(0);
    metrics.tasks.changed(task({ state: "spawning", spawningAt: 1_200 }));
    expect(await read(metrics, "hivegate_task_queue_duration_seconds_sum")).toBeCloseTo(0.2);
    expect(await started()).toBe(0);
    metrics.tasks.changed(task(RUNNING));
    metrics.tasks.changed(task({ ...RUNNING, swarmId: "s" }));
    expect(await started()).toBe(1);
    expect(await read(metrics, "hivegate_tasks", { state: "queued" })).toBe(0);
    expect(await read(metrics, "hivegate_tasks", { state: "running" })).toBe(1);
    expect(await read(metrics, "hivegate_task_start_duration_seconds_sum")).toBeCloseTo(0.4);
    const end = task({ ...RUNNING, state: "completed", endedAt: 4_600 });
    metrics.tasks.changed(end);
    metrics.tasks.changed(end);
    expect([await ended("completed"), await ended("failed")]).toEqual([1, 0]);
    expect(await read(metrics, "hivegate_task_run_duration_seconds_sum")).toBeCloseTo(3);
    expect(await read(metrics, "hivegate_tasks", { state: "running" })).toBe(0);
  });

  it("H10 tell docker's tasks from those that MCP took over", async () => {
    const metrics = newMetrics();
    metrics.tasks.changed(task({}));
    metrics.tasks.changed(task({ ...RUNNING, method: "mcp-fallback" }));
    const started = (method: string) => read(metrics, "hivegate_tasks_started_total", { method });
    expect([await started("docker-exec"), await started("mcp-fallback")]).toEqual([0, 1]);
  });

  it("H10 count the end of a task that was started in an earlier life, and not its start", async () => {
    const metrics = newMetrics();
    metrics.tasks.restore([task(RUNNING)]);
    metrics.tasks.changed(task({ ...RUNNING, state: "failed", endedAt: 1_200 }));
    const labels = { method: "docker-exec" };
    expect(await read(metrics, "hivegate_tasks_started_total", labels)).toBe(0);
    expect(await read(metrics, "hivegate_tasks_ended_total", { ...labels, outcome: "failed" })).toBe(1);
    // The clock was set back in between.
    expect(await read(metrics, "hivegate_task_run_duration_seconds_sum")).toBe(0);
  });

  it("H10 tell how commands went: ours, the swarm's and Docker's failures apart", async () => {
    const metrics = newMetrics();
    const inner = new FakeExecutor();
    const executor = observedExecutor(inner, metrics.command);
    const run = () => executor.run(["cli"], { timeoutMs: 1 });
    inner.answer = async () => succeeded("");
    await run();
    inner.answer = async () => ({ ...succeeded(""), exitCode: 2 });
    await run();
    inner.answer = async () => ({ ...succeeded(""), exitCode: null, ended: "timeout" });
    await run();
    const away = new HivegateError("swarm_unavailable");
    inner.answer = async () => Promise.reject(away);
    await expect(run()).rejects.toBe(away);
    const count = (outcome: string) =>
      read(metrics, "hivegate_swarm_commands_total", { method: "docker-exec", kind: "run", outcome });
    expect(await Promise.all(["ok", "nonzero_exit", "timeout", "swarm_unavailable"].map(count))).toEqual([
      1, 1, 1, 1,
    ]);
    expect(await read(metrics, "hivegate_swarm_command_duration_seconds_count")).toBe(4);
  });

  it("H10 count MCP requests by server and outcome, and polls by pool", async () => {
    const metrics = newMetrics();
    metrics.mcpRequest("flow", "ok", 20);
    metrics.mcpRequest("flow", "timeout", 5_000);
    expect(await read(metrics, "hivegate_mcp_requests_total", { server: "flow", outcome: "timeout" })).toBe(
      1,
    );
    expect(await read(metrics, "hivegate_mcp_request_duration_seconds_sum", { server: "flow" })).toBe(5.02);

    let tell = (_: CollectorNews): void => {};
    const told: CollectorNews[] = [];
    const source = metrics.observedSource({
      pool: "p",
      servers: () => [],
      watch: (_, listener) => {
        tell = listener;
      },
    });
    source.watch(100, (news) => told.push(news));
    tell({ report: null, servers: [] });
    tell({ report: { agents: [], swarms: [] }, servers: [] });
    tell({ report: null, servers: [] });
    expect(told).toHaveLength(3);
    const polls = (outcome: string) => read(metrics, "hivegate_mcp_polls_total", { pool: "p", outcome });
    expect([await polls("ok"), await polls("failed")]).toEqual([1, 2]);
  });

  it("C1 S6 H10 forget a server, or a pool, that is not configured any more", async () => {
    const metrics = newMetrics();
    for (const server of ["flow", "other"])
      for (const outcome of ["ok", "timeout"]) metrics.mcpRequest(server, outcome, 20);
    const pools = ["flow", "other"].map((pool) =>
      metrics.observedSource({ pool, servers: () => [], watch: () => {} }),
    );
    expect(pools).toHaveLength(2);
    const series = async () =>
      samplesIn(await metrics.scrape())
        .filter(({ name }) => name.startsWith("hivegate_mcp_"))
        .map(({ labels }) => labels.server ?? labels.pool);
    const before = await series();
    metrics.forgetServer("flow");
    metrics.forgetPool("flow");
    const after = await series();
    expect(after).toEqual(before.filter((name) => name === "other"));
    expect(after.length).toBeGreaterThan(4);
    metrics.mcpRequest("flow", "ok", 20);
    expect(await read(metrics, "hivegate_mcp_requests_total", { server: "flow", outcome: "ok" })).toBe(1);
    expect(
      await read(metrics, "hivegate_mcp_requests_total", { server: "flow", outcome: "timeout" }),
    ).toBeUndefined();
  });

  it("H10 S4 S6 read states when they are asked for", async () => {
    const metrics = newMetrics();
    const figures = { readers: 2, isWatched: true, backlogBytes: 9, cutOff: 3, offset: 7, agents: 5 };
    const server: ServerState = {
      ...{ server: "flow", pool: "flow", server_source: "claude_flow", status: "unavailable", agents: 0 },
      stale_since: 10_000,
      circuit: { state: "half_open", since: 1, retry_at: null },
    };
    let servers = [server, { ...server, server: "fresh", stale_since: null }];
    const sources: StateSources = {
      swarmIsUp: async () => false,
      circuits: () => servers.slice(0, 1).map(({ circuit }) => ["mcp:flow", circuit]),
      servers: () => servers,
      telemetry: { figures },
      refusals: { expired: 4, missing: 0 },
      now: () => 12_500,
    };
    metrics.watchState(sources);
    const first = await metrics.scrape();
    expect(await metrics.scrape()).toContain("hivegate_swarm_up");
    const expected: [string, Record<string, string>, number][] = [
      ["hivegate_swarm_up", {}, 0],
      ["hivegate_circuit_state", { dependency: "mcp:flow" }, 1],
      ["hivegate_mcp_stale_seconds", { server: "flow" }, 2.5],
      ["hivegate_mcp_stale_seconds", { server: "fresh" }, 0],
      ["hivegate_refused_requests_total", { reason: "expired" }, 4],
      ["hivegate_refused_requests_total", { reason: "missing" }, 0],
      ["hivegate_telemetry_readers", {}, 2],
      ["hivegate_telemetry_watched", {}, 1],
      ["hivegate_telemetry_backlog_bytes", {}, 9],
      ["hivegate_telemetry_readers_cut_off_total", {}, 3],
      ["hivegate_telemetry_offset", {}, 7],
      ["hivegate_telemetry_agents", {}, 5],
    ];
    for (const [name, labels, value] of expected)
      expect([name, await read(metrics, name, labels)]).toEqual([name, value]);
    expect(first).toContain("process_resident_memory_bytes");
    servers = [];
    expect(await metrics.scrape()).not.toContain('"flow"');
  });
});
