import { expect, it } from "vitest";
import { anAgent } from "../support/agents.ts";
import { familiesIn, samplesIn } from "../support/metrics.ts";
import { onEveryHost } from "./hosts.ts";

onEveryHost("the gateway's metrics", ({ sidecar, gateway, connect }) => {
  const scrape = async (identity: Parameters<ReturnType<typeof gateway>["token"]>[0] = {}, query = "") => {
    const token = await gateway().token({ permissions: ["metrics:read"], ...identity });
    return fetch(`${gateway().url}${query || "/v1/hives/default/metrics"}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  };
  const read = async () => {
    const samples = samplesIn(await (await scrape()).text());
    return (name: string, labels: Record<string, string> = {}) =>
      samples.find(
        (sample) =>
          sample.name === `hivegate_gateway_${name}` &&
          Object.entries({ hive: "default", ...labels }).every(
            ([key, value]) => sample.labels[key] === value,
          ),
      )?.value;
  };

  it("S8 are for a token with metrics:read that shows the whole hive", async () => {
    expect((await fetch(`${gateway().url}/metrics`)).status).toBe(401);
    expect((await scrape({ permissions: ["telemetry:read", "tasks:read", "tasks:write"] })).status).toBe(403);
    expect((await scrape({ hives: ["other"] })).status).toBe(404);
    expect((await scrape({ scope: { swarm_ids: ["one"] } })).status).toBe(403);
    const response = await scrape({}, "/metrics?hive=default");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(familiesIn(await response.text()).get("hivegate_gateway_sessions")).toBe("gauge");
  });

  it("H10 S6 tell of sessions, frames, refusals and the feed, as its clients see them", async () => {
    sidecar.show([anAgent()]);
    const before = await read();
    const client = await connect();
    await client.next("snapshot");
    client.send({ type: "performance_mode", mode: "high_frequency" });
    await client.next("session");
    client.sendRaw("no JSON");
    await client.next("error");
    await expect.poll(async () => (await read())("sessions", { mode: "high_frequency" }), LATE).toBe(1);
    const after = await read();
    const grown = (name: string, labels?: Record<string, string>) =>
      (after(name, labels) ?? 0) - (before(name, labels) ?? 0);
    expect(after("feed_live")).toBe(1);
    expect(after("shards")).toBe(1);
    expect(after("circuit_state", { dependency: "sidecar" })).toBe(0);
    expect(after("stale_seconds")).toBe(0);
    expect(grown("sessions_opened_total")).toBe(1);
    expect(grown("snapshots_total")).toBe(1);
    expect(grown("frames_received_total")).toBe(2);
    expect(grown("refused_frames_total", { code: "invalid_json" })).toBe(1);
    expect(grown("frames_sent_total")).toBe(client.seen.length);
    expect(grown("sent_bytes_total")).toBe(
      client.seen.reduce((sum, frame) => sum + Buffer.byteLength(JSON.stringify(frame)), 0),
    );
    expect(grown("feed_streams_total")).toBe(1);
    expect(grown("sidecar_requests_total", { outcome: "ok" })).toBeGreaterThanOrEqual(1);

    client.close();
    await client.closed;
    await expect.poll(async () => (await read())("sessions", { mode: "high_frequency" }) ?? 0, LATE).toBe(0);
    const left = await read();
    // Whoever leaves takes nothing along that was counted.
    expect(left("frames_sent_total")).toBe(after("frames_sent_total"));
    expect([left("shards"), left("feed_live")]).toEqual([0, 0]);
  });

  it("R7 tell of the relay: its clients, and whether their messages can be passed on", async () => {
    const client = await connect({ kind: "relay" });
    await client.next("welcome");
    const metric = await read();
    const onFirst = { shard: "default/relay/0" };
    expect(metric("relay_sessions", { mode: "shared", ...onFirst })).toBe(1);
    expect(metric("relay_sessions", { mode: "dedicated", ...onFirst })).toBe(0);
    expect(metric("relay_messages_total", { direction: "to_orchestrator", ...onFirst })).toBe(0);
    expect(metric("sessions_opened_total", onFirst)).toBe(1);
    sidecar.relay.hears = (_, channel) => sidecar.relay.say(channel, '{"jsonrpc":"2.0","id":1,"result":{}}');
    client.send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    client.sendRaw("no JSON");
    await expect
      .poll(async () => {
        const later = await read();
        return [
          later("relay_link_up", onFirst),
          later("relay_messages_total", { direction: "to_orchestrator", ...onFirst }),
          later("relay_messages_total", { direction: "to_client", ...onFirst }),
        ];
      }, LATE)
      .toEqual([1, 1, 1]);
    client.close();
    await client.closed;
    await expect
      .poll(async () => (await read())("relay_sessions", { mode: "shared", ...onFirst }), LATE)
      .toBe(0);
  });
});

const LATE = { timeout: 15_000 };
