/**
 * P6: what 1,000 clients cost while nothing changes. They send their heartbeats. That the shard has hibernated
 * is seen from outside: a session's latency is known only for as long as the shard keeps its memory.
 */
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type Bench, goal } from "./report.ts";
import { Crowd, clientsOf } from "./rig/crowd.ts";
import { HOSTS } from "./rig/hosts.ts";
import { cpuMs, rssBytes } from "./rig/process-cost.ts";
import { forMs, startRig } from "./rig/rig.ts";

/** With the one that asks for its latency they are as many as a shard takes. */
const CLIENTS = 999;
const SWARM = { agents: 20, changing: 5, swarms: 4 };
/** A runtime lets an object sleep that was left alone for ten seconds. */
const FALL_ASLEEP_MS = 13_000;
/** As `LIMITS.heartbeatMs` says. */
const HEARTBEAT_MS = 25_000;
/** A hundredth of a core. */
const GOAL_CPU_SECONDS_PER_MINUTE = 0.6;

export const idle: Bench = async ({ quick }) => {
  const rig = await startRig(SWARM);
  const { crowd, sidecar, gateway } = rig;
  const beating = setInterval(() => void crowd.heartbeat("all"), HEARTBEAT_MS);
  try {
    const asking = await connectAsking(gateway.url, await gateway.token());
    const bareBytesPerClient = await bareRssBytesPerClient();
    const emptyBytes = rssBytes(gateway.pid);
    await crowd.connect(
      "all",
      await clientsOf(gateway, CLIENTS, [{ filters: { include_performance: true } }]),
    );
    await crowd.haveSnapshots("all");
    const latencyBefore = await latencyMs(asking);
    await forMs(FALL_ASLEEP_MS);

    const measureMs = quick ? 20_000 : 120_000;
    const before = { ...(await sidecar.counts()), cpuMs: cpuMs(gateway.pid) };
    await forMs(measureMs);
    const after = { ...(await sidecar.counts()), cpuMs: cpuMs(gateway.pid) };
    const fullBytes = rssBytes(gateway.pid);
    const latencyAfter = await latencyMs(asking);

    const { open, snapshotBytes } = await crowd.counts("all");
    await sidecar.run({ hz: 10, jitter: false, stamped: false });
    await forMs(500);
    await sidecar.pause();
    await crowd.converged("all", await sidecar.agents());
    asking.close();

    const minutes = measureMs / 60_000;
    const cpuSecondsPerMinute = (after.cpuMs - before.cpuMs) / 1_000 / minutes;
    const requests = after.streams + after.demands - before.streams - before.demands;
    const slept = latencyBefore !== null && latencyAfter === null;
    console.log(`${open} clients still there, ${cpuSecondsPerMinute.toFixed(2)} s of CPU a minute`);
    return {
      rounds: 1,
      goals: {
        P6: goal(Number(slept), 1, "at least", "shards asleep"),
        "P6.requests": goal(requests, 0, "at most", "requests to the sidecar"),
        "P6.cpu": goal(cpuSecondsPerMinute, GOAL_CPU_SECONDS_PER_MINUTE, "at most", "seconds per minute"),
        "P6.clients": goal(open, CLIENTS, "at least", "clients still there"),
      },
      raw: {
        latencyBefore,
        snapshotBytes: snapshotBytes / CLIENTS,
        latencyAfter,
        upstreamBytesPerMinute: (after.sentBytes - before.sentBytes) / minutes,
        rssBytes: { empty: emptyBytes, full: fullBytes },
        rssBytesPerClient: (fullBytes - emptyBytes) / CLIENTS,
        bareRssBytesPerClient: bareBytesPerClient,
      },
    };
  } finally {
    clearInterval(beating);
    await rig.stop();
  }
};

/** A client that has said once how far it has read, so that the shard knows its latency. */
async function connectAsking(url: string, token: string): Promise<SocketClient> {
  const client = await connectSocket(url, "/v1/hives/default/stream", token);
  // It is asked when it was sent enough.
  const asking = setInterval(() => client.send({ type: "get_snapshot" }), 100);
  const { probe } = await client.next("probe");
  clearInterval(asking);
  client.send({ type: "ack", probe });
  return client;
}

/** What a socket costs the runtime that does nothing else for it. */
async function bareRssBytesPerClient(): Promise<number> {
  const bare = await HOSTS.workerd.floor();
  const crowd = new Crowd();
  try {
    const member = { url: bare.url.replace(/^http/, "ws"), token: null, isWitness: false };
    await crowd.connect("first", [member]);
    const emptyBytes = rssBytes(bare.pid);
    await crowd.connect(
      "bare",
      Array.from({ length: CLIENTS }, () => member),
    );
    return (rssBytes(bare.pid) - emptyBytes) / CLIENTS;
  } finally {
    await crowd.stop();
    await bare.stop();
  }
}

async function latencyMs(client: SocketClient): Promise<number | null> {
  client.send({ type: "get_session" });
  return (await client.next("session")).quality.latency_ms;
}
