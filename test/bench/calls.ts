/**
 * P4, T10: what a call of a tool costs. The same small MCP server is called through the gateway (both hosts, by TCP and
 * stdio, kept answers too), through two proxies that people use, and by a server that is built for each request. They
 * take turns, with the least that a worker can do (the floor): hand a request on to a server that says it back.
 */
import { pause, platformClock } from "../../shared/clock.ts";
import { type Bench, goal, median } from "./report.ts";
import { CallCrowd, type Called } from "./rig/call-crowd.ts";
import { startWays, type Way } from "./rig/call-ways.ts";
import { HOST_NAMES } from "./rig/hosts.ts";
import { cpuMs, familyBytes } from "./rig/process-cost.ts";

const PEERS = ["mcp-proxy", "supergateway"];
const PER_REQUEST = "per request";
const AT_A_TIME = [1, 16, 64];
/** At which the goals are meant. */
const GOAL_AT = 16;
const TEXT_BYTES = 200;
const WARM_UP_MS = 2_000;
const MIB = 1024 * 1024;

/** `memoryMiB`: of all processes on the way and their children, half-way through. */
type Measured = Called & { perSecond: number; memoryMiB: number; cpuUs: Record<string, number> };
/** What was measured of each way, one right after the other. */
type Turn = ReadonlyMap<string, Measured>;

export const calls: Bench = async ({ quick }) => {
  const { rounds, measureMs } = quick ? { rounds: 2, measureMs: 350 } : { rounds: 5, measureMs: 2_000 };
  const crowd = new CallCrowd();
  const { ways, stop } = await startWays();
  try {
    const measured = new Map(AT_A_TIME.map((atATime) => [atATime, [] as Turn[]]));
    await turn(crowd, ways, { atATime: GOAL_AT, measureMs: quick ? 1_000 : WARM_UP_MS });
    for (let round = 0; round < rounds; round++) {
      for (const [atATime, turns] of measured) turns.push(await turn(crowd, ways, { atATime, measureMs }));
    }
    const turns = (atATime: number) => measured.get(atATime) ?? [];
    return {
      rounds,
      goals: goalsOf(turns(GOAL_AT), turns(1)),
      raw: {
        calls: Object.fromEntries(AT_A_TIME.map((atATime) => [atATime, summary(turns(atATime))])),
      },
    };
  } finally {
    await crowd.stop();
    await stop();
  }
};

function goalsOf(turns: readonly Turn[], alone: readonly Turn[]) {
  const goals = HOST_NAMES.flatMap((host) => {
    const faster = 1 - ratio(alone, `${host}, cached`, [`${host}, tcp`], ({ p50Ms }) => p50Ms);
    const memory = ratio(turns, `${host}, stdio`, [PER_REQUEST], ({ memoryMiB }) => memoryMiB);
    return [
      [`P4.${host}`, goal(ratio(turns, `${host}, tcp`, PEERS), 2.5, "at least")],
      [`P4.cached.${host}`, goal(ratio(turns, `${host}, cached`, PEERS), 6, "at least")],
      [`T10.cached.${host}`, goal(faster, 0.7, "at least")],
      [`T10.throughput.${host}`, goal(ratio(turns, `${host}, stdio`, [PER_REQUEST]), 3, "at least")],
      [`T10.memory.${host}`, goal(memory, 1.1, "at most")],
    ] as const;
  });
  return Object.fromEntries(goals);
}

async function turn(
  crowd: CallCrowd,
  ways: Record<string, Way>,
  { atATime, measureMs }: { atATime: number; measureMs: number },
): Promise<Turn> {
  const figures = new Map<string, Measured>();
  for (const [name, { pids, ...target }] of Object.entries(ways)) {
    const costs = () => Object.values(pids).map(cpuMs);
    const before = costs();
    const differ = target.cache === null;
    const running = crowd.run({ target, atATime, measureMs, textBytes: TEXT_BYTES, differ });
    const [called, memoryMiB] = await Promise.all([running, heldMiB(Object.values(pids), measureMs / 2)]);
    const after = costs();
    const cpuUs = Object.keys(pids).map((process, i) => {
      const usedMs = (after[i] ?? Number.NaN) - (before[i] ?? Number.NaN);
      return [process, Math.round((usedMs * 1_000) / called.calls)];
    });
    const perSecond = (called.calls * 1_000) / called.elapsedMs;
    const one: Measured = { ...called, perSecond, memoryMiB, cpuUs: Object.fromEntries(cpuUs) };
    figures.set(name, one);
    console.log(`${atATime} at a time, ${name}: ${shown(one)}`);
  }
  return figures;
}

async function heldMiB(pids: readonly number[], afterMs: number): Promise<number> {
  await pause(platformClock, afterMs);
  return pids.reduce((sum, pid) => sum + familyBytes(pid), 0) / MIB;
}

/** Of one way to the best of others in the same turn; the median of all turns. */
function ratio(
  turns: readonly Turn[],
  way: string,
  others: readonly string[],
  figure: (one: Measured) => number = ({ perSecond }) => perSecond,
): number {
  const of = (each: Turn, name: string) => {
    const one = each.get(name);
    return one ? figure(one) : Number.NaN;
  };
  return median(turns.map((each) => of(each, way) / Math.max(...others.map((other) => of(each, other)))));
}

function summary(turns: readonly Turn[]) {
  const names = [...(turns[0]?.keys() ?? [])];
  return Object.fromEntries(
    names.map((name) => {
      const ones = turns.flatMap((each) => each.get(name) ?? []);
      const middle = (figure: (one: Measured) => number) => Number(median(ones.map(figure)).toFixed(2));
      const cpuUs = Object.keys(ones[0]?.cpuUs ?? {}).map((process) => [
        process,
        middle(({ cpuUs }) => cpuUs[process] ?? Number.NaN),
      ]);
      const figures = {
        perSecond: Math.round(middle(({ perSecond }) => perSecond)),
        p50Ms: middle(({ p50Ms }) => p50Ms),
        p99Ms: middle(({ p99Ms }) => p99Ms),
        memoryMiB: Math.round(middle(({ memoryMiB }) => memoryMiB)),
        cpuUs: Object.fromEntries(cpuUs),
      };
      return [name, figures];
    }),
  );
}

function shown({ perSecond, p50Ms, p99Ms, memoryMiB, cpuUs }: Measured): string {
  const costs = Object.entries(cpuUs).map(([process, us]) => `${process} ${us}`);
  return `${Math.round(perSecond)}/s, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)} ms; processor: ${costs.join(" + ")} µs; ${Math.round(memoryMiB)} MiB`;
}
