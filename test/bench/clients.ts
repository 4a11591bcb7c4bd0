/**
 * P7: what the machine beside the swarm notices of 1,000 clients instead of one: nothing. Real demo swarm at
 * work, real sidecar, real gateway; one client and a thousand take turns. Then the thousand lose their
 * connections all at once.
 */
import { type System, startSystem } from "../support/system.ts";
import { type Bench, goal, median } from "./report.ts";
import { Crowd, clientsOf } from "./rig/crowd.ts";
import { connectionsTo, cpuMs, processCount } from "./rig/process-cost.ts";
import { forMs } from "./rig/rig.ts";
import { measureStorm } from "./storm.ts";

const CLIENTS = 1_000;
const WARM_UP_MS = 3_000;
const SETTLE_MS = 1_000;
/** As the sidecar's log says it. */
const STREAM_OPENED = '"path":"/v1/telemetry"';
/** Work for longer than any run of this: the demo's largest, by one agent, so that the clients have a core. */
const TASK = { task: "count primes below 100000000", priority: "low" };

/**
 * What a sidecar cost during a while, and what there is of it. How often it asks the swarm depends on how fast
 * that works, which depends on what else the machine has to do: so its time is compared by what it asked.
 */
type Cost = {
  cpuMs: number;
  /** Sent to the swarm's MCP server: so many for each poll. */
  askedBytes: number;
  processes: number;
  /** To the MCP server. */
  connections: number;
  /** Telemetry streams opened so far. */
  streams: number;
};

export const clients: Bench = async ({ quick }) => {
  const rounds = quick ? 2 : 7;
  const measureMs = quick ? 2_500 : 10_000;
  const system = await startSystem({ env: { LOG_LEVEL: "info" } });
  const crowd = new Crowd();
  /** Each time with all clients stands between two with one: what the sidecar's code gains as it warms up cancels out. */
  const few: Cost[] = [];
  const many: Cost[] = [];
  try {
    await startTask(system);
    await crowd.connect("one", await clientsOf(system.gateway, 1, [{}]));
    await crowd.haveSnapshots("one");
    await forMs(WARM_UP_MS);
    few.push(await measure(system, measureMs));
    for (let i = 0; i < rounds; i++) {
      await crowd.connect("others", await clientsOf(system.gateway, CLIENTS - 1, [{}]));
      await crowd.haveSnapshots("others");
      many.push(await measure(system, measureMs));
      await crowd.drop("others");
      few.push(await measure(system, measureMs));
      console.log(`${CLIENTS} clients: ${shown(many[i])}; then 1: ${shown(few[i + 1])}`);
    }
  } finally {
    await crowd.stop();
    await system.stop();
  }
  const storm = await measureStorm();
  console.log(
    `${storm.clients} clients back in ${Math.round(storm.backMs)} ms, ${storm.recovered} recovered`,
  );

  const cpuRatios = many.map((cost, i) => perAsked(cost) / perAsked(few[i], few[i + 1]));
  const none = (count: (cost: Cost) => number) =>
    goal(Math.max(...many.map(count)) - Math.min(...few.map(count)), 0, "at most", "more");
  return {
    rounds,
    goals: {
      P7: goal(median(cpuRatios), 1.05, "at most"),
      "P7.processes": none(({ processes }) => processes),
      "P7.connections": none(({ connections }) => connections),
      "P7.streams": none(({ streams }) => streams),
      "storm.recovered": goal(storm.recovered, storm.clients, "at least", "clients"),
    },
    raw: { few, many, cpuRatios, storm },
  };
};

async function startTask({ gateway }: System): Promise<void> {
  const answer = await fetch(`${gateway.url}/v1/hives/default/tasks`, {
    method: "POST",
    headers: { authorization: `Bearer ${await gateway.token()}`, "content-type": "application/json" },
    body: JSON.stringify(TASK),
  });
  if (!answer.ok) throw new Error(`the task was refused: ${await answer.text()}`);
}

async function measure({ sidecar, demo, gateway }: System, forTimeMs: number): Promise<Cost> {
  await forMs(SETTLE_MS);
  const before = { cpuMs: cpuMs(sidecar.pid), ...connectionsTo(demo.mcpPort, sidecar.pid) };
  await forMs(forTimeMs);
  const after = { cpuMs: cpuMs(sidecar.pid), ...connectionsTo(demo.mcpPort, sidecar.pid) };
  return {
    cpuMs: after.cpuMs - before.cpuMs,
    askedBytes: after.sentBytes - before.sentBytes,
    processes: processCount(sidecar.pid) + processCount(demo.pid) + processCount(gateway.pid),
    connections: after.count,
    streams: sidecar.output().split(STREAM_OPENED).length - 1,
  };
}

/** Milliseconds for a byte asked. */
function perAsked(...costs: (Cost | undefined)[]): number {
  const sum = (count: (cost: Cost) => number) =>
    costs.reduce((all, cost) => all + (cost ? count(cost) : Number.NaN), 0);
  return sum(({ cpuMs }) => cpuMs) / sum(({ askedBytes }) => askedBytes);
}

const shown = (cost: Cost | undefined): string =>
  cost
    ? `${cost.cpuMs.toFixed(0)} ms CPU for ${cost.askedBytes} B asked, ${cost.connections} connection, ${cost.streams} stream`
    : "";
