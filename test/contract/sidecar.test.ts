import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { anAgent } from "../support/agents.ts";
import { type Client, connect as connectTo } from "./client.ts";
import { onEveryHost } from "./hosts.ts";

onEveryHost("a sidecar that fails", ({ sidecar, connect }, host) => {
  const snapshot = (client: Client) => client.next("snapshot", ({ epoch }) => epoch === sidecar.epoch);

  it("S4 leaves its last picture, said to be stale, and is live again by itself where it broke off", async () => {
    sidecar.show([anAgent({ status: "before" })]);
    const client = await connect();
    await snapshot(client);
    await sidecar.stop();
    const lostMs = Date.now();
    const lost = await client.next("hive_status", ({ live }) => !live);
    expect(lost.stale_since).toBeLessThanOrEqual(Date.now());
    expect(lost.stale_since).toBeGreaterThan(lostMs - 10_000);

    const newcomer = await connect();
    expect(await newcomer.next("snapshot")).toMatchObject({
      ...{ live: false, payload: { agents: [{ status: "before" }] } },
    });
    sidecar.show([anAgent({ status: "after" })]);
    await sidecar.start();
    for (const each of [client, newcomer]) {
      await each.next("hive_status", ({ live }) => live);
      const { payload } = await each.next("agent_update");
      expect(payload.agents).toEqual([{ agent_id: "agent-1", status: "after" }]);
    }
    expect(client.seen.filter(({ type }) => type === "snapshot")).toHaveLength(1);
  });

  it("S4 breaks off in the middle of its stream, and nobody misses anything", async () => {
    sidecar.show([anAgent()]);
    const client = await connect();
    await snapshot(client);
    for (const status of ["one", "two", "three"]) {
      sidecar.breakOff();
      sidecar.show([anAgent({ status })]);
      const { payload } = await client.next("agent_update");
      expect(payload.agents).toEqual([{ agent_id: "agent-1", status }]);
    }
  });

  it("S4 is left alone by the circuit breaker after some failures, also after a restart of the gateway", async () => {
    const stateDir = await mkdtemp(join(tmpdir(), "hivegate-contract-"));
    onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
    const options = { sidecarUrl: sidecar.url, keys: sidecar.keys, stateDir };
    sidecar.answer("GET /v1/telemetry", { code: "internal", message: "no" }, 500);
    const before = await host.start(options);
    const client = await connectTo(before.url, { token: await before.token() });
    const opened = await client.next("hive_status", ({ circuit }) => circuit.state === "open");
    expect(opened.circuit.retry_at).toBeGreaterThan(opened.circuit.since);
    await before.kill("SIGKILL");

    const after = await host.start({ ...options, port: before.port, jwtSecret: before.jwtSecret });
    onTestFinished(async () => void (await after.kill("SIGKILL")));
    const again = await connectTo(after.url, { token: await after.token() });
    // It may be time for a probe by now, which one that had forgotten would have to learn first.
    const restored = await again.next("hive_status");
    expect(restored.circuit.state).not.toBe("closed");
    sidecar.answer("GET /v1/telemetry", null);
    sidecar.show([anAgent({ status: "recovered" })]);
    await again.next("hive_status", ({ live, circuit }) => live && circuit.state === "closed");
    expect((await snapshot(again)).payload.agents).toMatchObject([{ status: "recovered" }]);
    again.close();
  });
});
