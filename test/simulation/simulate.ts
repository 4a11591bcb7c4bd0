/** One run: a seeded world in which things happen and go wrong, then calm, in which everybody has to agree. */
import { LIMITS } from "../../shared/limits.ts";
import "./small-limits.ts";
import { firstDifference } from "./expected.ts";
import { calm, somethingHappens } from "./faults.ts";
import { TOLD_TWICE } from "./swarm.ts";
import { type Trace, World } from "./world.ts";

export type Run = {
  seed: number;
  /** What went wrong first; null: nothing. */
  failure: string | null;
  frames: number;
  gaps: number;
  /** How long the world lived. */
  simulatedMs: number;
};

/** After the faults: time for the longest backoff, silence and circuit breaker to end, one after the other. */
const HEAL_MS = 240_000;
/** In a world without faults: time for the slowest mode, and for a sidecar that is asked on demand alone. */
const FOLLOW_MS = 25_000;
/** Time for what is still on its way, and for a request that got no answer. */
const SETTLE_MS = LIMITS.sidecarTimeoutMs + 5_000;
/** Time for a shard to report what happened last. */
const REPORT_MS = 10_000;
/** Time for an empty hive to fall silent. */
const EMPTY_MS = 150_000;

export async function simulate(seed: number, trace: Trace | null = null): Promise<Run> {
  const world = new World(seed, trace);
  const startMs = world.clock.now();
  let failure: string | null;
  try {
    failure = await live(world);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    world.sidecar.stop();
  }
  const sum = (of: "frames" | "gaps") => world.viewers.reduce((total, viewer) => total + viewer[of], 0);
  return {
    ...{ seed, failure, frames: sum("frames"), gaps: sum("gaps") },
    simulatedMs: world.clock.now() - startMs,
  };
}

async function live(world: World): Promise<string | null> {
  const { random } = world;
  for (let viewers = random.between(1, 4); viewers > 0; viewers--) world.addViewer();
  let failure: string | null = null;
  for (let times = random.between(1, 4); times > 0 && failure === null; times--) {
    await trouble(world);
    calm(world);
    failure = await agreed(world, HEAL_MS);
  }
  failure ??= (await followed(world)) ?? (await idle(world)) ?? (await emptied(world));
  return world.wrongs[0] ?? failure;
}

async function trouble(world: World): Promise<void> {
  const { random } = world;
  for (let events = random.between(1, 25); events > 0 && world.wrongs.length === 0; events--) {
    somethingHappens(world);
    // Most things happen while the one before is still under way; some when everybody has fallen silent.
    await world.pass(random.pauseMs(random.of(1_000, 1_000, 2_000, 2_000, 2_000, 4_000, 30_000, 200_000)));
  }
}

/** Waits until everybody holds what the sidecar has. */
async function agreed(world: World, withinMs: number): Promise<string | null> {
  const untilMs = world.clock.now() + withinMs;
  for (;;) {
    // Those whose token has expired, and who get no other, leave at any time.
    if (world.present.length === 0) world.addViewer();
    for (const { mode, stream } of world.present) if (mode === "on_demand") stream.requestSnapshot();
    await world.pass(1_000);
    const difference = await disagreement(world);
    if (!difference) return null;
    if (world.clock.now() >= untilMs) return `still after ${withinMs} ms: ${difference}`;
  }
}

async function disagreement({ sidecar, present, swarm }: World): Promise<string | null> {
  const truth = await sidecar.picture();
  for (const pool of swarm.pools) {
    if (!sidecar.isConfigured(pool)) {
      if (truth.agents.some(({ server }) => server === pool.name))
        return `agents of ${pool.name} are left over`;
      continue;
    }
    if (!pool.servers.some(({ status }) => status === "available")) continue;
    const known = new Set(truth.agents.map(({ agent_id }) => agent_id));
    // Whose agent it is that two pools tell of is the hub's business.
    const missing = [...pool.agents.keys()].find((id) => id !== TOLD_TWICE && !known.has(id));
    if (missing) return `the sidecar was not asked: it does not know of ${missing}`;
  }
  for (const viewer of present) {
    const difference = firstDifference(truth, viewer);
    if (difference) return difference;
    const { configRevision } = viewer.stream;
    if (configRevision !== sidecar.configRevision)
      return `${viewer.name} knows of configuration ${configRevision}, not ${sidecar.configRevision}`;
  }
  return null;
}

/** Whoever agrees has to go on agreeing. */
async function followed(world: World): Promise<string | null> {
  for (let round = 0; round < 3; round++) {
    world.tell(() => "the swarm works in peace");
    world.swarm.stepAll();
    const failure = await agreed(world, FOLLOW_MS);
    if (failure) return `in peace, ${failure}`;
  }
  return null;
}

/** With nothing due there is no timer but for the heartbeat and the token of each viewer, and the stream's silence. */
async function idle(world: World): Promise<string | null> {
  await world.pass(SETTLE_MS);
  const { hive, shards, present } = world;
  // A client that showed a fresh token just now has its shard report a while later; another may do so meanwhile.
  for (let i = 0; i < 3 && shards.some(({ timers }) => timers > 0); i++) await world.pass(REPORT_MS);
  const busy = shards.find(({ timers }) => timers > 0);
  if (busy) return `${busy.name} has ${busy.timers} timers with nothing due`;
  if (hive.timers > 1) return `the hive has ${hive.timers} timers with nothing due`;
  const viewer = present.find(({ timers }) => timers > 2);
  return viewer ? `${viewer.name} has ${viewer.timers} timers with nothing due` : null;
}

/** When everybody has left, nothing is asked, nothing is connected, nothing waits. */
async function emptied(world: World): Promise<string | null> {
  for (const viewer of world.present) viewer.leave();
  await world.pass(EMPTY_MS);
  const { sidecar, hive, shards, viewers, net } = world;
  if (sidecar.readers > 0) return `${sidecar.readers} streams are read in an empty hive`;
  if (hive.timers > 0) return `the empty hive has ${hive.timers} timers`;
  const shard = shards.find(({ timers, sockets }) => timers + sockets > 0);
  if (shard) return `the empty ${shard.name} has ${shard.timers} timers and ${shard.sockets} sockets`;
  const viewer = viewers.find(({ timers }) => timers > 0);
  if (viewer) return `${viewer.name} has left, and has ${viewer.timers} timers`;
  const [wire] = net.wires();
  return wire ? `a connection remains: ${wire.name}` : null;
}
