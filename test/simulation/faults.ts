/** What may happen to a hive, each with how often. */
import type { World } from "./world.ts";

type Event = { weight: number; name: string; happen(world: World): void };

const EVENTS: readonly Event[] = [
  { weight: 60, name: "the swarm works", happen: ({ swarm }) => swarm.step() },
  { weight: 8, name: "a connection breaks", happen: breakWire },
  { weight: 8, name: "a connection stalls", happen: stallWire },
  {
    ...{ weight: 16, name: "a shard hibernates" },
    happen: ({ shards }) => {
      for (const shard of shards) shard.hibernate();
    },
  },
  { weight: 3, name: "a shard is lost", happen: loseShard },
  { weight: 4, name: "the hive is lost", happen: loseHive },
  { weight: 1, name: "the gateway restarts", happen: restartGateway },
  { weight: 4, name: "the sidecar restarts", happen: restartSidecar },
  { weight: 2, name: "the sidecar is cut off", happen: cutOffSidecar },
  { weight: 8, name: "a viewer changes its filters", happen: withViewer((viewer) => viewer.changeFilters()) },
  { weight: 10, name: "a viewer changes its mode", happen: withViewer((viewer) => viewer.changeMode()) },
  { weight: 6, name: "a viewer sleeps", happen: sleepViewer },
  { weight: 3, name: "a viewer leaves", happen: withViewer((viewer) => viewer.leave()) },
  {
    ...{ weight: 3, name: "a viewer comes" },
    happen: (world) => {
      if (world.present.length < MOST_VIEWERS) world.addViewer();
    },
  },
];

const MOST_VIEWERS = 6;

export function somethingHappens(world: World): void {
  const event = world.random.weighted(EVENTS);
  if (!event) return;
  world.tell(() => event.name);
  event.happen(world);
  if (world.sidecar.hasConfigs && world.random.chance(0.1)) world.sidecar.changeConfig();
}

/** All is well from now on: what is late arrives, what is broken is noticed, and everybody is awake. */
export function calm(world: World): void {
  world.tell(() => "calm");
  world.hive.isAway = false;
  world.isGatewayAway = false;
  world.sidecar.way = "open";
  world.sidecar.start();
  for (const viewer of world.viewers) viewer.wake();
  world.net.heal();
}

function breakWire({ random, net }: World): void {
  const learnsMs = () => (random.chance(0.1) ? NEVER_MS : random.pauseMs(30_000));
  random.pick(net.wires())?.break(learnsMs(), learnsMs());
}

const NEVER_MS = 3_600_000;

function stallWire({ random, net, clock }: World): void {
  const wire = random.pick(net.wires());
  const to = random.of<"near" | "far">("near", "far");
  wire?.hold(to);
  clock.after(random.pauseMs(60_000), () => wire?.release(to));
}

function loseShard({ random, shards, net }: World): void {
  random.pick(shards)?.lose((end) => {
    const wire = net.wires().find(({ far }) => far === end);
    wire?.break(random.pauseMs(20_000), 0);
  });
}

/** And for a while it may not be called either. */
function loseHive({ random, hive, clock }: World): void {
  hive.lose();
  if (random.chance(0.5)) return;
  hive.isAway = true;
  clock.after(random.pauseMs(20_000), () => {
    hive.isAway = false;
  });
}

/** All of its objects at once, as when a version is deployed or its one process is killed. */
function restartGateway(world: World): void {
  const { random, shards, net, hive } = world;
  hive.lose();
  for (const shard of shards) {
    shard.lose((end) =>
      net
        .wires()
        .find(({ far }) => far === end)
        ?.break(random.pauseMs(1_000), 0),
    );
  }
  world.isGatewayAway = true;
  world.clock.after(random.pauseMs(5_000), () => {
    world.isGatewayAway = false;
  });
}

function restartSidecar({ random, sidecar, net, clock }: World): void {
  // What it wrote last may still arrive, or not.
  const isKilled = random.chance(0.5);
  for (const wire of net.wires())
    if (isKilled && wire.name.endsWith(" sidecar")) wire.break(random.pauseMs(10_000), 0);
  sidecar.stop();
  clock.after(random.pauseMs(20_000), () => sidecar.start());
}

function cutOffSidecar({ random, sidecar, net, clock }: World): void {
  sidecar.way = random.of("refused", "silent");
  for (const wire of net.wires()) {
    if (!wire.name.endsWith(" sidecar")) continue;
    if (sidecar.way === "silent") wire.hold("near");
    else wire.break(random.pauseMs(10_000), random.pauseMs(10_000));
  }
  clock.after(random.pauseMs(120_000), () => {
    sidecar.way = "open";
  });
}

function sleepViewer({ random, present, clock }: World): void {
  const viewer = random.pick(present);
  viewer?.sleep();
  clock.after(random.pauseMs(200_000), () => viewer?.wake());
}

function withViewer(act: (viewer: World["viewers"][number]) => void): (world: World) => void {
  return ({ random, present }) => {
    const viewer = random.pick(present);
    if (viewer) act(viewer);
  };
}
