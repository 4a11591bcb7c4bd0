/**
 * P2: what a client receives while a twentieth of 1,000 agents changes in each tick, against the whole picture
 * in each tick. Every byte that comes over the socket counts, WebSocket's own framing too.
 */

import { type Bench, goal, median } from "./report.ts";
import { type Counts, type Crowd, clientsOf, type Kind } from "./rig/crowd.ts";
import { forMs, startRig } from "./rig/rig.ts";

const HZ = 10;
const CLIENTS = 4;
const SWARM = { agents: 1_000, changing: 50, swarms: 8 };
const SEES: Kind = { mode: "normal", filters: { include_performance: true, include_topology: true } };

export const bytes: Bench = async ({ quick }) => {
  const rounds = quick ? 3 : 5;
  const rig = await startRig(SWARM);
  const { crowd, sidecar, gateway } = rig;
  try {
    const kinds = { json: SEES, deflate: { ...SEES, encoding: "deflate" } } satisfies Record<string, Kind>;
    for (const [group, kind] of Object.entries(kinds)) {
      await crowd.connect(group, await clientsOf(gateway, CLIENTS, [kind]));
      await crowd.haveSnapshots(group);
    }
    const wholeBytes = (await crowd.counts("json")).snapshotBytes / CLIENTS;
    const wholeDeflatedBytes = (await crowd.counts("deflate")).snapshotBytes / CLIENTS;

    await sidecar.run({ hz: HZ, jitter: false, stamped: false });
    const perTick = { json: [] as number[], deflate: [] as number[] };
    for (let i = 0; i < rounds; i++) {
      const round = await measure(rig.crowd, sidecar, quick ? 4_000 : 10_000);
      perTick.json.push(round.json);
      perTick.deflate.push(round.deflate);
      console.log(`a tick: ${Math.round(round.json)} B, compressed ${Math.round(round.deflate)} B`);
    }
    await sidecar.pause();
    for (const group of Object.keys(kinds)) await crowd.converged(group, await sidecar.agents());
    return {
      rounds,
      goals: {
        P2: goal(median(perTick.json) / wholeBytes, 0.08, "at most"),
        "P2.deflate": goal(median(perTick.deflate) / wholeBytes, 0.03, "at most"),
      },
      raw: { wholeBytes, wholeDeflatedBytes, perTick },
    };
  } finally {
    await rig.stop();
  }
};

/** Bytes that a client receives for a tick of the swarm's. */
async function measure(crowd: Crowd, sidecar: { counts(): Promise<{ ticks: number }> }, forTimeMs: number) {
  const count = async () => ({
    json: await crowd.counts("json"),
    deflate: await crowd.counts("deflate"),
    ...(await sidecar.counts()),
  });
  const before = await count();
  await forMs(forTimeMs);
  const after = await count();
  const ticks = after.ticks - before.ticks;
  const perTick = (kind: "json" | "deflate"): number =>
    received(before[kind], after[kind]) / (CLIENTS * ticks);
  return { json: perTick("json"), deflate: perTick("deflate") };
}

const received = (before: Counts, after: Counts): number => after.wireBytes - before.wireBytes;
