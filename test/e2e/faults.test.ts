/**
 * Two hundred clients of every kind watch a working swarm while real processes are killed, frozen and made to
 * talk nonsense. Afterwards every client's picture is the sidecar's, through its own filters.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Filters, Mode } from "../../shared/protocol/client.ts";
import { TelemetryLine } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { seenOf } from "../../shared/swarm/view.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { macKey } from "../../sidecar/http/keys.ts";
import { lineCall } from "../support/line-call.ts";
import { signedFetch } from "../support/sidecar.ts";
import { type System, startSystem } from "../support/system.ts";
import { openTcp } from "./demo/clients.ts";

const CLIENTS = 200;
const WITHIN_MS = 40_000;
const TASK = "count primes below 15000000";

const NOTHING_MORE = { include_performance: false, include_neural: false, include_topology: false };
const KINDS: { filters: Filters; mode: Mode; encoding?: "deflate" }[] = [
  { filters: NOTHING_MORE, mode: "normal" },
  { filters: { ...NOTHING_MORE, include_performance: true }, mode: "high_frequency" },
  { filters: { ...NOTHING_MORE, agent_types: ["queen"] }, mode: "normal" },
  { filters: { ...NOTHING_MORE, include_performance: true, include_topology: true }, mode: "low_frequency" },
  {
    filters: { ...NOTHING_MORE, server_types: ["demo"], include_performance: true },
    mode: "normal",
    encoding: "deflate",
  },
];

type Watcher = { stream: HivegateStream; filters: Filters; recovered: boolean[] };

let system: System;
let client: HivegateClient;
let watchers: Watcher[] = [];

beforeAll(async () => {
  system = await startSystem({ demo: { faults: true, lingerMs: 600_000 } });
  const { gateway } = system;
  client = new HivegateClient({ baseUrl: gateway.url, hive: "default", token: await gateway.token() });
  watchers = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => watch(i)));
}, 60_000);

afterAll(async () => {
  for (const { stream } of watchers) stream.close();
  await system.stop();
});

async function watch(i: number): Promise<Watcher> {
  const kind = KINDS[i % KINDS.length];
  if (!kind) throw new Error("there are kinds");
  const { gateway } = system;
  const stream = new HivegateStream({
    baseUrl: gateway.url,
    hive: "default",
    token: await gateway.token(),
    ...kind,
  });
  const watcher: Watcher = { stream, filters: kind.filters, recovered: [] };
  stream.on("frame", (frame) => {
    if (frame.type === "resumed") watcher.recovered.push(frame.recovered);
  });
  return watcher;
}

/** What the sidecar itself says, asked as the gateway asks. */
async function truth(): Promise<Picture> {
  const [kid = "", secret = ""] = Object.entries(system.keys)[0] ?? [];
  const key = macKey(kid, Buffer.from(secret, "base64"));
  const url = `${system.sidecar.url}/v1/telemetry?reader=${randomUUID()}`;
  const { body } = await signedFetch(url, { key });
  if (!body) throw new Error("the sidecar gave no stream");
  const picture = new Picture();
  for await (const line of readLines(body, new LineSplitter(LIMITS.telemetryLineBytes))) {
    picture.apply(TelemetryLine.parse(JSON.parse(line)));
    if (picture.epoch !== null) break;
  }
  return picture;
}

/** Null: the client shows what is. Otherwise what is different. */
function difference({ stream, filters }: Watcher, picture: Picture): string | null {
  if (!stream.picture.live) return "not live";
  const { agents, tasks, servers, swarms, container } = stream.picture;
  const shown = { agents: [...agents.values()], tasks: [...tasks.values()], servers, swarms, container };
  const expected = {
    ...{ tasks: [], servers: [], swarms: [], container: null },
    ...seenOf(picture, { scope: {}, filters, seesTasks: true }),
  };
  const parts = ["agents", "tasks", "servers", "swarms", "container"] as const;
  const other = parts.find((part) => comparable(shown[part]) !== comparable(expected[part]));
  return other ? `other ${other}` : null;
}

/** The same text for the same data, whatever the order in which entries came. */
function comparable(part: unknown): string {
  const entries = Array.isArray(part) ? part.map((entry) => JSON.stringify(sorted(entry))).sort() : part;
  return JSON.stringify(sorted(entries));
}

/** The same data, whatever the order in which its fields came. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** Milliseconds until every client shows what the sidecar knows; the swarm has to be at rest by then. */
async function converged(): Promise<number> {
  const sinceMs = Date.now();
  await expect
    .poll(
      async () => {
        const picture = await truth();
        const wrong = watchers.map((watcher) => difference(watcher, picture)).filter((why) => why !== null);
        const servers = picture.servers.map(({ status }) => status);
        return { clients: wrong.length, why: wrong[0] ?? null, agents: picture.agents.size > 0, servers };
      },
      { timeout: WITHIN_MS, interval: 200 },
    )
    .toEqual({ clients: 0, why: null, agents: true, servers: ["available"] });
  return Date.now() - sinceMs;
}

/** As many as the sidecar has counted, by its log: it tells of them when it loses the connection. */
function strangeLines(): number {
  const lost = system.sidecar
    .output()
    .split("\n")
    .filter((line) => line.includes("lost the MCP server"))
    .map((line) => z.object({ strangeLines: z.number() }).parse(JSON.parse(line)).strangeLines);
  return Math.max(0, ...lost);
}

const AgentList = z.object({ agents: z.array(z.record(z.string(), z.unknown())) });

/** An agent as the demo swarm itself lists it. */
const asListed = (agent: Agent) => ({
  ...{ agentId: agent.agent_id, swarmId: agent.swarm_id, name: agent.name, type: agent.agent_type },
  ...{ status: agent.status, currentTask: agent.current_task, progress: agent.progress },
  ...{ createdAt: agent.created_at, lastActive: agent.last_active },
});

const allSee = (what: (watcher: Watcher) => boolean) =>
  expect.poll(() => watchers.filter((watcher) => !what(watcher)).length, { timeout: WITHIN_MS }).toBe(0);

/** A task that keeps the swarm changing, and its end. */
async function work(): Promise<{ ended: Promise<void> }> {
  const { task } = await client.createTask({ task: TASK });
  const ended = (async () => {
    for await (const event of client.events(task.taskId, { after: 0 })) void event;
  })();
  await allSee(({ stream }) => stream.picture.tasks.has(task.taskId));
  return { ended };
}

const report = (fault: string, figures: Record<string, number>) =>
  console.log(`${fault}: ${CLIENTS} clients, ${JSON.stringify(figures)}`);

describe(`under ${CLIENTS} clients`, () => {
  it("Q2 S5 a gateway killed and restarted: everybody is back, and goes on from where it was", async () => {
    const { ended } = await work();
    for (const watcher of watchers) watcher.recovered = [];
    await system.gateway.kill("SIGKILL");
    await system.restartGateway();
    await ended;
    const ms = await converged();
    const recovered = watchers.filter((watcher) => watcher.recovered.at(-1)).length;
    report("gateway killed", { ms, recovered });
    expect(recovered).toBe(CLIENTS);
  });

  it("Q2 S4 a sidecar killed and restarted: everybody is told, and starts anew from its new picture", async () => {
    const { ended } = await work();
    await system.sidecar.kill("SIGKILL");
    await allSee(({ stream }) => !stream.picture.live);
    await system.restartSidecar();
    await ended;
    report("sidecar killed", { ms: await converged() });
  });

  it("Q2 S4 an MCP server that is frozen: its data are marked stale, and fresh when it goes on", async () => {
    const { ended } = await work();
    process.kill(system.demo.pid, "SIGSTOP");
    try {
      await allSee(({ stream }) => stream.picture.servers.every(({ status }) => status === "unavailable"));
      const [server] = watchers[0]?.stream.picture.servers ?? [];
      expect(server?.stale_since).toBeLessThanOrEqual(Date.now());
    } finally {
      process.kill(system.demo.pid, "SIGCONT");
    }
    await allSee(({ stream }) => stream.picture.servers.every(({ status }) => status === "available"));
    await ended;
    report("MCP server frozen", { ms: await converged() });
  });

  it("Q2 S4 a swarm that talks nonsense: nobody shows any of it", async () => {
    const fault = (fault: string) =>
      lineCall(system.demo.mcpPort, "tools/call", { name: "demo_fault", arguments: { fault } });
    await fault("garbage");
    const { ended } = await work();
    await ended;
    // Costs the sidecar its connection with its next call, and it says what came over that one.
    await fault("drop");
    await expect.poll(strangeLines, { timeout: WITHIN_MS }).toBeGreaterThan(0);
    report("garbage", { ms: await converged(), strangeLines: strangeLines() });
    const demo = await openTcp(system.demo.mcpPort);
    const { agents } = AgentList.parse(await demo.call("agent_list"));
    const shown = [...(await truth()).agents.values()].map(asListed);
    expect(comparable(shown)).toBe(comparable(agents));
  });
});
