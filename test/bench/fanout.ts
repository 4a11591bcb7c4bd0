/**
 * P1: what a delivery costs, against the cheapest that the same runtime can do: a loop that sends a text made
 * beforehand to as many hibernating sockets. Floor and gateway take turns, with the same clients and frames of
 * the same length.
 *
 * P1 is deliveries a second. A session is given at most 60 frames a second, so 500 of them cannot saturate a
 * gateway that keeps up: both would deliver 30,000 a second, and the ratio would say nothing. It is measured with
 * as many sockets as a shard takes, 1,000, at 60 Hz.
 *
 * Beside it stands a stricter figure without a goal, `cpuRatio`: processor time of the whole runtime for one
 * delivery, floor against gateway, 500 sockets at 60 Hz. What the gateway does beside sending (it reads the feed
 * twice, makes eight groups' deltas, asks clients how far they read) is in it, whether or not the runtime had the
 * time for it anyway.
 */
import { type Bench, goal, median } from "./report.ts";
import { type BareServer, startOnWorkerd } from "./rig/bare-server.ts";
import { Crowd, clientsOf } from "./rig/crowd.ts";
import { HOSTS, type HostName } from "./rig/hosts.ts";
import { cpuMs } from "./rig/process-cost.ts";
import { seededRandom } from "./rig/random.ts";
import { forMs, startRig } from "./rig/rig.ts";
import { BusySwarm } from "./rig/swarm.ts";

const HZ = 60;
/** Faster than a session is given any, so that a tick never waits for something to tell. */
const SATURATING_HZ = 60;
const SOCKETS = 500;
const SATURATING_SOCKETS = 1_000;
const GROUPS = 8;
/** So that each group's frame is about 1,000 bytes long. */
const SWARM = { agents: 400, changing: 5 * GROUPS, swarms: GROUPS };
const KINDS = Array.from({ length: GROUPS }, (_, index) => ({
  mode: "high_frequency" as const,
  filters: { swarm_ids: [`swarm-${index}`], include_performance: true },
}));
/** Until the code that runs often has been compiled. */
const WARM_UP_MS = 2_000;
const SETTLE_MS = 300;
const GOAL = 0.9;

/** Something that delivers, and how it is made to: frames as long as asked for, where it does not know by itself. */
type Subject = {
  group: string;
  pid: number;
  run(frameBytes: number): Promise<unknown>;
  pause(): Promise<unknown>;
};
type Measured = { perSecond: number; cpuUs: number; bytes: number };

export const fanout: Bench = async ({ quick }) => {
  const plan = quick
    ? { rounds: 1, saturatedRounds: 3, measureMs: 1_200 }
    : { rounds: 5, saturatedRounds: 7, measureMs: 5_000 };
  const workerd = await measureOn("workerd", plan);
  const deno = await measureOn("deno", plan);
  return {
    rounds: plan.saturatedRounds,
    goals: {
      P1: goal(workerd.ratio, GOAL, "at least"),
      "P1.deno": goal(deno.ratio, GOAL, "at least"),
    },
    raw: { workerd, deno, naive: await measureNaive(plan.measureMs) },
  };
};

type Plan = { rounds: number; measureMs: number };
type WholePlan = Plan & { saturatedRounds: number };

async function measureOn(host: HostName, plan: WholePlan) {
  const rig = await startRig(SWARM, host);
  const { crowd, sidecar, gateway } = rig;
  const bare = await HOSTS[host].floor();
  try {
    const hivegateAt = (hz: number): Subject => ({
      group: "hivegate",
      pid: gateway.pid,
      run: () => sidecar.run({ hz, jitter: false, stamped: false }),
      pause: () => sidecar.pause(),
    });
    const hivegate = hivegateAt(HZ);
    await crowd.connect(hivegate.group, await clientsOf(gateway, SOCKETS, KINDS));
    await crowd.haveSnapshots(hivegate.group);
    const floor = bareSubject("floor", bare);
    await crowd.connect(floor.group, socketsOf(bare, SOCKETS));
    await compare(crowd, floor, hivegate, { rounds: 1, measureMs: WARM_UP_MS });
    console.log(`${host}, warm:`);
    const steady = await compare(crowd, floor, hivegate, plan);
    await crowd.converged(hivegate.group, await sidecar.agents());

    const more = SATURATING_SOCKETS - SOCKETS;
    await crowd.connect(hivegate.group, await clientsOf(gateway, more, KINDS));
    await crowd.connect(floor.group, socketsOf(bare, more));
    const busiest = hivegateAt(SATURATING_HZ);
    const saturated = await compare(crowd, floor, busiest, { ...plan, rounds: plan.saturatedRounds });
    await crowd.converged(hivegate.group, await sidecar.agents());
    return {
      ratio: median(saturated.map((round) => round.hivegate.perSecond / round.floor.perSecond)),
      cpuRatio: median(steady.map((round) => round.floor.cpuUs / round.hivegate.cpuUs)),
      ...{ steady, saturated },
    };
  } finally {
    await rig.stop();
    await bare.stop();
  }
}

type Round = { floor: Measured; hivegate: Measured };

/** One after the other, so that both meet the same machine. */
async function compare(
  crowd: Crowd,
  floor: Subject,
  hivegate: Subject,
  { rounds, measureMs }: Plan,
): Promise<Round[]> {
  const measured: Round[] = [];
  for (let i = 0; i < rounds; i++) {
    const ours = await measure(crowd, hivegate, measureMs);
    const round = { floor: await measure(crowd, floor, measureMs, ours.bytes), hivegate: ours };
    console.log(`floor ${shown(round.floor)}   hivegate ${shown(round.hivegate)}`);
    measured.push(round);
  }
  return measured;
}

async function measure(
  crowd: Crowd,
  { group, pid, run, pause }: Subject,
  forTimeMs: number,
  frameBytes = 0,
): Promise<Measured> {
  await run(frameBytes);
  await forMs(SETTLE_MS);
  const before = { ...(await crowd.counts(group)), cpuMs: cpuMs(pid) };
  await forMs(forTimeMs);
  const after = { ...(await crowd.counts(group)), cpuMs: cpuMs(pid) };
  await pause();
  await quiet(crowd, group);
  const deliveries = after.updates - before.updates;
  return {
    perSecond: (deliveries / (after.atMs - before.atMs)) * 1_000,
    cpuUs: ((after.cpuMs - before.cpuMs) / deliveries) * 1_000,
    bytes: (after.bytes - before.bytes) / deliveries,
  };
}

/** What was sent before may still be on its way, and would be counted against the other. */
async function quiet(crowd: Crowd, group: string): Promise<void> {
  for (let before = -1, now = 0; before !== now; ) {
    before = now;
    await forMs(100);
    now = (await crowd.counts(group)).frames;
  }
}

const shown = ({ perSecond, cpuUs, bytes }: Measured): string =>
  `${Math.round(perSecond)}/s of ${Math.round(bytes)} B, ${cpuUs.toFixed(2)} µs each`;

/** What the replaced systems did, as often as it gets to it: each client's whole picture, written for it alone. */
async function measureNaive(measureMs: number): Promise<Measured> {
  const crowd = new Crowd();
  const bare = await startOnWorkerd(new URL("./rig/naive-worker.js", import.meta.url));
  try {
    const { agents } = new BusySwarm(SWARM, seededRandom(1), Date.now());
    await fetch(bare.url, { method: "POST", body: JSON.stringify(agents) });
    const naive = bareSubject("naive", bare);
    const members = socketsOf(bare, SOCKETS).map((member, index) => ({
      ...member,
      url: `${member.url}?swarm=swarm-${index % GROUPS}`,
    }));
    await crowd.connect(naive.group, members);
    const measured = await measure(crowd, naive, measureMs);
    console.log(`naive ${shown(measured)}`);
    return measured;
  } finally {
    await crowd.stop();
    await bare.stop();
  }
}

function bareSubject(group: string, { url, pid }: BareServer): Subject {
  const set = (hz: number, bytes: number) => fetch(`${url}/?hz=${hz}&bytes=${Math.round(bytes)}`);
  return { group, pid, run: (frameBytes) => set(HZ, frameBytes), pause: () => set(0, 0) };
}

const socketsOf = ({ url }: BareServer, count: number) =>
  Array.from({ length: count }, () => ({ url: url.replace(/^http/, "ws"), token: null, isWitness: false }));
