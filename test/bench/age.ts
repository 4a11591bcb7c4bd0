/**
 * P3: how old a change is when it reaches a client. 200 clients of one shard, 60 Hz. Agents change at random
 * moments, so that they do not fall in step with the shard's ticks, and each says when it changed; sidecar and
 * clients read the same clock.
 */

import { type Bench, goal, median, quantile } from "./report.ts";
import { clientsOf } from "./rig/crowd.ts";
import { HOST_NAMES, type HostName } from "./rig/hosts.ts";
import { forMs, startRig } from "./rig/rig.ts";

const HZ = 60;
const CLIENTS = 200;
const SWARM = { agents: 100, changing: 5, swarms: 4 };
const WARM_UP_MS = 1_000;
const GOAL_MS = 1_000 / HZ + 15;

export const age: Bench = async ({ quick }) => {
  const rounds = quick ? 4 : 9;
  const measured = { workerd: [] as Ages[], deno: [] as Ages[] };
  for (const host of HOST_NAMES) {
    measured[host] = await measureOn(host, { rounds, roundMs: quick ? 3_000 : 10_000 });
  }
  const p99 = (host: HostName) => median(measured[host].map(({ p99Ms }) => p99Ms));
  return {
    rounds,
    goals: {
      P3: goal(p99("workerd"), GOAL_MS, "at most", "ms"),
      "P3.deno": goal(p99("deno"), GOAL_MS, "at most", "ms"),
    },
    raw: measured,
  };
};

type Ages = { p50Ms: number; p95Ms: number; p99Ms: number; changes: number };

async function measureOn(host: HostName, { rounds, roundMs }: { rounds: number; roundMs: number }) {
  const rig = await startRig(SWARM, host);
  const { crowd, sidecar, gateway } = rig;
  try {
    const kind = { mode: "high_frequency" as const, filters: { include_performance: true } };
    await crowd.connect("all", await clientsOf(gateway, CLIENTS, [kind]));
    await crowd.haveSnapshots("all");
    await sidecar.run({ hz: HZ, jitter: true, stamped: true });
    await forMs(WARM_UP_MS);
    const measured: Ages[] = [];
    for (let i = 0; i < rounds; i++) {
      const ages = await crowd.collectAges(() => forMs(roundMs));
      const at = (place: number) => quantile(ages, place);
      const round = { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), changes: ages.length };
      console.log(
        `${host}: ${round.changes} changes, p50 ${round.p50Ms.toFixed(1)}, p95 ${round.p95Ms.toFixed(1)}, ` +
          `p99 ${round.p99Ms.toFixed(1)} ms`,
      );
      measured.push(round);
    }
    await sidecar.pause();
    await crowd.converged("all", await sidecar.agents());
    return measured;
  } finally {
    await rig.stop();
  }
}
