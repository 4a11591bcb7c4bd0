/**
 * P3: how old a change is when it reaches a client. 200 clients of one shard, 60 Hz. Agents change at random
 * moments, so that they do not fall in step with the shard's ticks, and each says when it changed; sidecar and
 * clients read the same clock.
 */

import { type Bench, goal, median, quantile } from "./report.ts";
import { clientsOf } from "./rig/crowd.ts";
import { forMs, startRig } from "./rig/rig.ts";

const HZ = 60;
const CLIENTS = 200;
const SWARM = { agents: 100, changing: 5, swarms: 4 };
const GOAL_MS = 1_000 / HZ + 15;

export const age: Bench = async ({ quick }) => {
  const rounds = quick ? 5 : 9;
  const rig = await startRig(SWARM);
  const { crowd, sidecar, gateway } = rig;
  try {
    const kind = { mode: "high_frequency" as const, filters: { include_performance: true } };
    await crowd.connect("all", await clientsOf(gateway, CLIENTS, [kind]));
    await crowd.haveSnapshots("all");
    await sidecar.run({ hz: HZ, jitter: true, stamped: true });
    await forMs(1_000);
    const measured: { p50: number; p95: number; p99: number; changes: number }[] = [];
    for (let i = 0; i < rounds; i++) {
      const ages = await crowd.collectAges(() => forMs(quick ? 4_000 : 10_000));
      const [p50 = Number.NaN, p95 = Number.NaN, p99 = Number.NaN] = [0.5, 0.95, 0.99].map((at) =>
        quantile(ages, at),
      );
      measured.push({ p50, p95, p99, changes: ages.length });
      console.log(
        `${ages.length} changes: p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)} ms`,
      );
    }
    await sidecar.pause();
    await crowd.converged("all", await sidecar.agents());
    return {
      rounds,
      goals: { P3: goal(median(measured.map(({ p99 }) => p99)), GOAL_MS, "at most", "ms") },
      raw: { measured },
    };
  } finally {
    await rig.stop();
  }
};
