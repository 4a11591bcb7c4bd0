import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { MODE_INTERVAL_MS } from "../../shared/protocol/client.ts";
import { HEARTBEAT } from "../../shared/protocol/heartbeat.ts";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { anAgent } from "../support/agents.ts";
import type { Client } from "./client.ts";
import { onEveryHost } from "./hosts.ts";

const worker = anAgent({ agent_id: "w" });
const queen = anAgent({ agent_id: "q", agent_type: "queen" });
const topology: SwarmTopology = {
  ...{ swarm_id: "swarm-1", server: "demo", server_source: "demo", topology: "mesh", status: "active" },
  ...{ coordinator: "q", agents: 2, max_agents: null },
};

const STEPS = 40;

const idsOf = (agents: readonly { agent_id: string }[]) => agents.map(({ agent_id }) => agent_id);

onEveryHost("a session", ({ sidecar, connect }) => {
  const snapshot = (client: Client) => client.next("snapshot", ({ epoch }) => epoch === sidecar.epoch);

  it("S1 S2 says welcome, shows the picture, then only what changed in it", async () => {
    sidecar.show([worker, queen]);
    const client = await connect();
    expect(await client.next("welcome")).toMatchObject({ hive: "default", mode: "normal", encoding: "json" });
    const { offset, payload } = await snapshot(client);
    expect(idsOf(payload.agents)).toEqual(["w", "q"]);

    sidecar.show([{ ...worker, status: "done" }, queen]);
    const update = await client.next("agent_update");
    expect(update.from).toBe(offset);
    expect(update.payload.agents).toEqual([{ agent_id: "w", status: "done" }]);
    sidecar.show([queen]);
    const after = await client.next("agent_update");
    expect(after.from).toBe(update.offset);
    expect(after.payload).toMatchObject({ agents: [], removed: ["w"] });
  });

  it("S1 S2 shows what its filters let through, and figures and topology to those who ask", async () => {
    sidecar.show([worker, queen], [topology]);
    const filters = { agent_types: ["queen"], include_performance: true };
    const client = await connect({ query: { filters: JSON.stringify(filters) } });
    const first = await snapshot(client);
    expect(idsOf(first.payload.agents)).toEqual(["q"]);
    expect(first.payload.agents[0]?.performance?.cpu_usage).toBe(42);
    expect(first.payload).not.toHaveProperty("topology_changes");

    const answer = await client.ask({
      type: "update_filters",
      filters: { agent_types: ["worker"], include_topology: true },
    });
    expect(answer).toMatchObject({ type: "session", filters: { agent_types: ["worker"] } });
    const second = await snapshot(client);
    expect(idsOf(second.payload.agents)).toEqual(["w"]);
    expect(second.payload.agents[0]).not.toHaveProperty("performance");
    expect(second.payload.topology_changes).toEqual([topology]);

    // What only the others see is not sent at all: the next frame is about the worker.
    sidecar.show([worker, { ...queen, status: "done" }], [topology]);
    sidecar.show(
      [
        { ...worker, status: "done" },
        { ...queen, status: "done" },
      ],
      [topology],
    );
    const update = await client.next("agent_update");
    expect(update.payload.agents).toEqual([{ agent_id: "w", status: "done" }]);
  });

  it("S1 asks the sidecar as often as its fastest client wants, and not at all without any", async () => {
    const slow = await connect({ query: { mode: "low_frequency" } });
    await snapshot(slow);
    await expect.poll(() => sidecar.intervalMs).toBe(MODE_INTERVAL_MS.low_frequency);
    const fast = await connect();
    await expect.poll(() => sidecar.intervalMs).toBe(MODE_INTERVAL_MS.normal);
    expect(await fast.ask({ type: "performance_mode", mode: "high_frequency" })).toMatchObject({
      ...{ type: "session", mode: "high_frequency", effective_mode: "high_frequency" },
    });
    await expect.poll(() => sidecar.intervalMs).toBe(Math.floor(1000 / 60));
    fast.close();
    await expect.poll(() => sidecar.intervalMs).toBe(MODE_INTERVAL_MS.low_frequency);
    slow.close();
    await expect.poll(() => sidecar.readers).toBe(0);
    expect(sidecar.countOf("/v1/telemetry")).toBe(1);
  });

  it("S1 S5 gathers what changes between two ticks of a client's mode", async () => {
    sidecar.show([worker]);
    const modes = ["low_frequency", "normal", "high_frequency"] as const;
    const clients = await Promise.all(modes.map((mode) => connect({ query: { mode } })));
    await Promise.all(clients.map(snapshot));
    const fromMs = performance.now();
    for (let step = 1; step <= STEPS; step++) {
      for (const status of ["begun", "going on", `${step}`]) sidecar.show([{ ...worker, status }]);
      await setTimeout(15);
    }
    for (const [i, client] of clients.entries()) {
      const seesLast = ({ agents }: { agents: readonly { status?: string | undefined }[] }) =>
        agents[0]?.status === `${STEPS}`;
      await client.next("agent_update", ({ payload }) => seesLast(payload));
      const ticks = (performance.now() - fromMs) / (MODE_INTERVAL_MS[modes[i] ?? "normal"] ?? Infinity);
      const updates = client.seen.filter(({ type }) => type === "agent_update");
      expect(updates.length).toBeLessThanOrEqual(Math.ceil(ticks) + 1);
      expect(updates.length).toBeLessThan(3 * STEPS);
    }
  });

  it("S1 pushes nothing on demand, and the picture as it is when asked", async () => {
    sidecar.show([worker]);
    const client = await connect({ query: { mode: "on_demand" } });
    const watcher = await connect({ query: { mode: "high_frequency" } });
    await Promise.all([snapshot(client), snapshot(watcher)]);
    sidecar.show([{ ...worker, status: "done" }]);
    await watcher.next("agent_update");
    client.send({ type: "get_snapshot" });
    const { payload } = await snapshot(client);
    expect(payload.agents).toMatchObject([{ agent_id: "w", status: "done" }]);
    expect(client.seen.map(({ type }) => type)).not.toContain("agent_update");
  });

  it("S1 S7 acknowledges heartbeats, and says how the connection is", async () => {
    const client = await connect();
    await client.next("welcome");
    client.sendRaw(HEARTBEAT);
    expect(await client.next("heartbeat_ack")).toEqual({ type: "heartbeat_ack" });
    expect(await client.ask({ type: "heartbeat" })).toHaveProperty("timestamp");
    expect(await client.ask({ type: "get_session" })).toMatchObject({
      ...{ type: "session", mode: "normal", effective_mode: "normal" },
      quality: { missed_heartbeats: 0, skipped_updates: 0 },
    });
  });

  it("H4 answers ping with pong, and whatever it cannot read with the agreed error", async () => {
    const client = await connect({ kind: "relay" });
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    const unknown = { type: "error", message: "Unknown message format", timestamp: expect.any(Number) };
    for (const frame of ["no json", '{"type":"dance"}', "[]", new Uint8Array([1, 2])]) {
      client.sendRaw(frame);
      expect(await client.next("error")).toMatchObject(unknown);
    }
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });
});
