/** What the rules, the dashboard and OPERATIONS.md speak of is what a real system tells. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { ERROR_CODES } from "../../shared/errors.ts";
import { OrchestratorNotice } from "../../shared/relay/records.ts";
import { TaskMethod, TaskState } from "../../shared/swarm/task.ts";
import { connect } from "../contract/client.ts";
import { familiesIn, type Sample, samplesIn } from "../support/metrics.ts";
import { promtool, promtoolAvailable } from "../support/promtool.ts";
import { type System, startSystem } from "../support/system.ts";

const hasPromtool = promtoolAvailable();
const DOCS = join(import.meta.dirname, "../../docs");
const read = (path: string): string => readFileSync(join(DOCS, path), "utf8");

const OURS = /\b(?:hivegate|process|nodejs)_[a-z0-9_]+/g;
const SELECTOR = /\b((?:hivegate|process)_[a-z0-9_]+)\{([^}]*)\}/g;
const MATCHER = /(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g;

/** Values that rules may name though nothing has brought them about yet. */
const WORDS = new Set<string>([
  ...[...ERROR_CODES, ...TaskState.options, ...TaskMethod.options, ...OrchestratorNotice.shape.state.options],
  ...["ok", "error", "nonzero_exit", "output_limit"],
]);

const Dashboard = z.object({
  templating: z.object({ list: z.array(z.object({ definition: z.string().optional() })) }),
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })),
});
const dashboard = Dashboard.parse(JSON.parse(read("ops/grafana-dashboard.json")));
const isOf = (name: string, labels: Record<string, string>) => (sample: Sample) =>
  sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value);

/** All that is asked of Prometheus, as one text. */
const ASKED = [
  read("ops/alerts.yml"),
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...dashboard.templating.list.map(({ definition = "" }) => definition),
].join("\n");

async function callTool({ gateway }: System, tool: string): Promise<void> {
  await fetch(`${gateway.url}/v1/hives/default/tools/demo__${tool}`, {
    method: "POST",
    body: "{}",
    headers: { authorization: `Bearer ${await gateway.token()}`, "content-length": "2" },
  });
}

describe("the metrics of a running system", () => {
  let system: System;
  let sidecarText = "";
  let gatewayText = "";
  let samples: Sample[] = [];
  const sum = (name: string, labels: Record<string, string> = {}): number =>
    samples.filter(isOf(name, labels)).reduce((total, { value }) => total + value, 0);

  const scrape = async () => {
    const { sidecar, gateway } = system;
    const token = await gateway.token({ permissions: ["metrics:read"] });
    const headers = { authorization: `Bearer ${token}` };
    sidecarText = await (await fetch(`${sidecar.url}/metrics`)).text();
    gatewayText = await (await fetch(`${gateway.url}/metrics?hive=default`, { headers })).text();
    samples = samplesIn(sidecarText + gatewayText);
  };

  beforeAll(async () => {
    system = await startSystem();
    const client = await connect(system.gateway.url, { token: await system.gateway.token() });
    await client.next("snapshot");
    client.sendRaw("no JSON");
    await client.next("error");
    const created = await client.ask({ type: "create_task", task: "count primes below 1000" });
    expect(created).toMatchObject({ type: "task_created", method: "process" });
    await client.ask({ type: "list_swarms" });
    await callTool(system, "agent_list");
    await callTool(system, "no_such_tool");
    const relayed = await connect(system.gateway.url, { kind: "relay", token: await system.gateway.token() });
    relayed.send({ jsonrpc: "2.0", id: "one", method: "tools/list" });
    await relayed.until("answer", () => relayed.rpc[0]);
    await vi.waitFor(
      async () => {
        await scrape();
        expect(sum("hivegate_tasks_ended_total")).toBe(1);
        expect(sum("hivegate_gateway_sessions")).toBe(1);
        expect(sum("hivegate_gateway_server_calls_total")).toBe(2);
      },
      { timeout: 30_000, interval: 200 },
    );
    client.close();
    relayed.close();
  });
  afterAll(() => system.stop());

  it("H10 tell of what was done, by which means, and how it went", () => {
    expect(sum("hivegate_tasks_started_total", { method: "process" })).toBe(1);
    expect(sum("hivegate_tasks_ended_total", { method: "process", outcome: "completed" })).toBe(1);
    expect(sum("hivegate_tasks_started_total", { method: "mcp-fallback" })).toBe(0);
    expect(sum("hivegate_task_start_duration_seconds_count")).toBe(1);
    expect(sum("hivegate_task_run_duration_seconds_count")).toBe(1);
    expect(sum("hivegate_swarm_commands_total", { kind: "start", outcome: "ok" })).toBe(1);
    expect(sum("hivegate_swarm_commands_total", { kind: "run", outcome: "ok" })).toBeGreaterThanOrEqual(1);
    expect(sum("hivegate_mcp_requests_total", { server: "demo", outcome: "ok" })).toBeGreaterThanOrEqual(1);
    expect(sum("hivegate_mcp_polls_total", { pool: "demo", outcome: "ok" })).toBeGreaterThanOrEqual(1);
    expect(sum("hivegate_swarm_up")).toBe(1);
    expect(sum("hivegate_telemetry_readers")).toBe(1);
    expect(sum("hivegate_telemetry_watched")).toBe(1);
    expect(sum("hivegate_gateway_feed_live")).toBe(1);
    expect(sum("hivegate_gateway_refused_frames_total", { code: "invalid_json" })).toBe(1);
    expect(sum("hivegate_gateway_sidecar_requests_total", { outcome: "ok" })).toBeGreaterThanOrEqual(2);
    expect(samples.filter(({ labels }) => labels.hive !== "default")).toEqual([]);
  });

  it("T9 tell of calls of tools, by server and tool", () => {
    const listed = { server: "demo", tool: "agent_list", outcome: "ok" };
    expect(sum("hivegate_gateway_tool_calls_total", listed)).toBe(1);
    expect(sum("hivegate_gateway_tool_call_duration_seconds_count", { tool: "agent_list" })).toBe(1);
    expect(sum("hivegate_gateway_audit_entries_total")).toBeGreaterThanOrEqual(2);
  });

  it("R7 tell of what was relayed, on both sides", () => {
    for (const direction of ["to_orchestrator", "to_client"]) {
      expect(sum("hivegate_relay_messages_total", { direction })).toBe(1);
      expect(sum("hivegate_gateway_relay_messages_total", { direction })).toBe(1);
      expect(sum("hivegate_relay_bytes_total", { direction })).toBeGreaterThan(10);
    }
    expect(sum("hivegate_relay_answer_duration_seconds_count")).toBe(1);
    expect(sum("hivegate_relay_errors_total")).toBe(0);
    expect(sum("hivegate_relay_sessions", { mode: "shared" })).toBe(1);
    expect(sum("hivegate_gateway_relay_sessions", { mode: "shared" })).toBe(1);
    expect(sum("hivegate_relay_orchestrator", { state: "connected" })).toBe(1);
    expect([sum("hivegate_relay_links"), sum("hivegate_gateway_relay_link_up")]).toEqual([1, 1]);
  });

  it("H10 hold every metric that the rules and the dashboard ask for", () => {
    const asked = new Set(ASKED.match(OURS));
    expect(asked.size).toBeGreaterThan(25);
    const told = new Set(samples.map(({ name }) => name));
    for (const name of familiesIn(sidecarText + gatewayText).keys()) told.add(name);
    expect([...asked].filter((name) => !told.has(name))).toEqual([]);
  });

  it("H10 have the labels that they are asked for by, and values that occur", () => {
    const wrong: string[] = [];
    for (const [, name = "", matchers = ""] of ASKED.matchAll(SELECTOR)) {
      const series = samples.filter((sample) => sample.name === name);
      for (const [, label = "", text = ""] of matchers.matchAll(MATCHER)) {
        if (!series.some(({ labels }) => label in labels)) wrong.push(`${name}: no label ${label}`);
        for (const value of text === "$hive" || text === "" ? [] : text.split("|")) {
          const occurs = series.some(({ labels }) => labels[label] === value);
          if (!occurs && !WORDS.has(value)) wrong.push(`${name}: ${label} is never ${value}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it.skipIf(!hasPromtool)("H10 are written and named as Prometheus wants it", () => {
    // Some of Node's, by prom-client, are not named as they should be.
    const own = sidecarText.replace(/^(?:# \w+ )?nodejs_.*\n/gm, "");
    expect(promtool(["check", "metrics"], own)).toBeNull();
    expect(promtool(["check", "metrics"], gatewayText)).toBeNull();
  });

  it("H10 U5 are all explained to operators, with what they are", () => {
    const rows = read("OPERATIONS.md").matchAll(/^\| `(hivegate_\w+)`[^|]*\| (\w+) /gm);
    const explained = new Map([...rows].map(([, name = "", type = ""]) => [name, type]));
    const told = [...familiesIn(sidecarText + gatewayText)].filter(([name]) => name.startsWith("hivegate_"));
    expect(explained).toEqual(new Map(told));
  });

  it("H10 U5 every alert says what to do, to operators as well", () => {
    const alerts = [...read("ops/alerts.yml").matchAll(/^ {6}- alert: (\w+)$/gm)].map(
      ([, name = ""]) => name,
    );
    const rules = read("ops/alerts.yml")
      .split(/^ {6}- alert: /m)
      .slice(1);
    expect(rules.filter((rule) => !/ summary: ".+"[\s\S]* action: ".+"/.test(rule))).toEqual([]);
    const told = [...read("OPERATIONS.md").matchAll(/^\| `(Hivegate\w+)`/gm)].map(([, name = ""]) => name);
    expect(told.sort()).toEqual(alerts.sort());
  });
});

it("H3 H10 tell docker's failure from what MCP did in its place", async () => {
  const system = await startSystem({ env: { SWARM_EXECUTOR: "docker", DOCKER_SOCKET: "/nonexistent.sock" } });
  onTestFinished(() => system.stop());
  const client = await connect(system.gateway.url, { kind: "relay", token: await system.gateway.token() });
  const created = await client.ask({ type: "create_task", task: "count primes below 1000" });
  expect(created).toMatchObject({ type: "task_created", method: "mcp-fallback" });
  client.close();
  const scraped = async () => {
    const samples = samplesIn(await (await fetch(`${system.sidecar.url}/metrics`)).text());
    return (name: string, labels: Record<string, string> = {}) =>
      samples.find(isOf(`hivegate_${name}`, labels))?.value;
  };
  const fallback = { method: "mcp-fallback" };
  const isDone = async () => (await scraped())("tasks_ended_total", { ...fallback, outcome: "completed" });
  await expect.poll(isDone, { timeout: 30_000 }).toBe(1);
  const value = await scraped();
  expect(value("tasks_started_total", fallback)).toBe(1);
  expect(value("tasks_started_total", { method: "docker-exec" })).toBe(0);
  expect(value("swarm_commands_total", { method: "docker-exec", outcome: "swarm_unavailable" })).toBe(1);
  expect(value("swarm_up")).toBe(0);
});

describe.skipIf(!hasPromtool)("the alert rules, by promtool", () => {
  const file = (name: string) => join(DOCS, "ops", name);

  it("H10 are well formed, and so is the example of a configuration", () => {
    expect(promtool(["check", "rules", file("alerts.yml")])).toBeNull();
    expect(promtool(["check", "config", "--syntax-only", file("prometheus.yml")])).toBeNull();
  });

  it("H10 R7 fire when they should, and only then", () => {
    expect(promtool(["test", "rules", file("alerts_test.yml")])).toBeNull();
  });

  it("H10 are each seen to fire in those tests", () => {
    const alerts = [...read("ops/alerts.yml").matchAll(/^ {6}- alert: (\w+)$/gm)].map(
      ([, name = ""]) => name,
    );
    const tests = read("ops/alerts_test.yml");
    expect(alerts.filter((name) => !tests.includes(`alertname="${name}"`))).toEqual([]);
  });
});
