/**
 * R: what the relay costs. An orchestrator that answers at once is asked by the same clients directly (the floor),
 * through a WebSocket proxy of a few lines, and through the whole chain: gateway, link, sidecar. They take turns.
 *
 * The chain has two hops more than the proxy, and all share the machine's processors: the processor time of a message
 * in each process tells where it goes.
 */
import { type Bench, goal, median } from "./report.ts";
import type { HostName } from "./rig/hosts.ts";
import type { Load } from "./rig/relay-crowd.ts";
import { type Measured, RELAY_CLIENTS, RelayRig, SUBJECTS, type Subject } from "./rig/relay-rig.ts";

const RPC = { kind: "rpc", bytes: 200 } as const;
const SHARED = { ...RPC, clients: RELAY_CLIENTS.shared };
const SATURATED: Load = { ...SHARED, inFlight: 16 };
const LOADS: Record<string, Load> = {
  /** Nothing waits for anything: how long the way itself is. */
  alone: { ...RPC, clients: 1, inFlight: 1 },
  "shared, 1 in flight": { ...SHARED, inFlight: 1 },
  "shared, 16 in flight": SATURATED,
  "dedicated, text": { kind: "text", bytes: 1024, clients: RELAY_CLIENTS.dedicated, inFlight: 16 },
  "dedicated, binary": { kind: "binary", bytes: 1024 * 1024, clients: 4, inFlight: 2 },
};
const WARM_UP_MS = 2_500;
const GOAL = 0.5;

export const relay: Bench = async ({ quick }) => {
  // What has a goal is measured more often: a busy machine is not the same for long.
  const { rounds, goalTurns, measureMs } = quick
    ? { rounds: 2, goalTurns: 3, measureMs: 400 }
    : { rounds: 7, goalTurns: 1, measureMs: 2_000 };
  const rig = await RelayRig.start();
  try {
    // Until the code that runs often has been compiled: of the proxy's there is less.
    await takeTurns((subject) => rig.measure(subject, SATURATED, WARM_UP_MS));
    const measured = new Map(Object.values(LOADS).map((load) => [load, [] as Turn[]]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, load] of Object.entries(LOADS)) {
        for (let turn = 0; turn < (load === SATURATED ? goalTurns : 1); turn++) {
          const figures = await takeTurns((subject) => rig.measure(subject, load, measureMs));
          measured.get(load)?.push(figures);
          for (const [subject, one] of figures) console.log(`${name}, ${subject}: ${shown(one)}`);
        }
      }
    }
    const turns = (load: Load) => measured.get(load) ?? [];
    const shared = (host: HostName) => goal(ratioToProxy(turns(SATURATED), host), GOAL, "at least");
    return {
      rounds,
      goals: { "R.shared": shared("workerd"), "R.shared.deno": shared("deno") },
      raw: mapped(LOADS, (load) => summary(turns(load))),
    };
  } finally {
    await rig.stop();
  }
};

/** What was measured of each, one right after the other. */
type Turn = ReadonlyMap<Subject, Measured>;

async function takeTurns(measure: (subject: Subject) => Promise<Measured>): Promise<Turn> {
  const turn = new Map<Subject, Measured>();
  for (const subject of SUBJECTS) turn.set(subject, await measure(subject));
  return turn;
}

/** Medians. `addedMs` is how much later than through the proxy half of the answers come. */
function summary(turns: readonly Turn[]) {
  const of = (subject: Subject, figure: (one: Measured) => number) =>
    rounded(median(each(turns, subject, figure)));
  return Object.fromEntries(
    SUBJECTS.map((subject) => [
      subject,
      {
        ratio: rounded(ratioToProxy(turns, subject)),
        perSecond: of(subject, ({ perSecond }) => perSecond),
        megabytesPerSecond: of(subject, ({ megabytesPerSecond }) => megabytesPerSecond),
        p50Ms: of(subject, ({ p50Ms }) => p50Ms),
        p99Ms: of(subject, ({ p99Ms }) => p99Ms),
        addedMs: rounded(of(subject, ({ p50Ms }) => p50Ms) - of("proxy", ({ p50Ms }) => p50Ms)),
        cpuUs: mapped(turns[0]?.get(subject)?.cpuUs ?? {}, (_, name) =>
          of(subject, ({ cpuUs }) => cpuUs[name] ?? Number.NaN),
        ),
      },
    ]),
  );
}

function ratioToProxy(turns: readonly Turn[], subject: Subject): number {
  const proxy = each(turns, "proxy", ({ perSecond }) => perSecond);
  const own = each(turns, subject, ({ perSecond }) => perSecond);
  return median(own.map((perSecond, round) => perSecond / (proxy[round] ?? Number.NaN)));
}

const rounded = (value: number): number => Number(value.toFixed(3));

const each = (turns: readonly Turn[], subject: Subject, figure: (one: Measured) => number): number[] =>
  turns.flatMap((turn) => {
    const one = turn.get(subject);
    return one ? [figure(one)] : [];
  });

const mapped = <T, U>(record: Record<string, T>, map: (value: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));

function shown({ perSecond, megabytesPerSecond, p50Ms, p99Ms, cpuUs }: Measured): string {
  const costs = Object.entries(cpuUs).map(([name, us]) => `${name} ${us.toFixed(1)}`);
  return (
    `${Math.round(perSecond)}/s, ${megabytesPerSecond.toFixed(1)} MB/s, ` +
    `p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)} ms; processor: ${costs.join(" + ")} µs`
  );
}
