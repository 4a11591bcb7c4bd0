/**
 * P7: what the machine beside the swarm notices of 1,000 clients instead of one: nothing. Real demo swarm at
 * work, real sidecar, real gateway; one client and a thousand take turns. Then the thousand lose their
 * connections all at once.
 */
import { z } from "zod";
import { TaskAnswer } from "../../shared/protocol/sidecar.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { type System, startSystem } from "../support/system.ts";
import { type Bench, goal, median } from "./report.ts";
import { Crowd, clientsOf } from "./rig/crowd.ts";
import { connectionsTo, cpuMs, processCount } from "./rig/process-cost.ts";
import { forMs } from "./rig/rig.ts";
import { measureStorm } from "./storm.ts";

const CLIENTS = 1_000;
const WARM_UP_MS = 2_000;
const SETTLE_MS = 1_000;
/** As the sidecar's log says it. */
const STREAM_OPENED = '"path":"/v1/telemetry"';
/** The demo's largest, by one agent, so that the clients have a core. */
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
  const rounds = quick ? 2 : 5;
  const measureMs = quick ? 2_000 : 8_000;
  const system = await startSystem({ env: { LOG_LEVEL: "info" } });
  const crowd = new Crowd();
  const measured: Round[] = [];
  try {
    await crowd.connect("one", await clientsOf(system.gateway, 1, [{}]));
    await crowd.haveSnapshots("one");
    for (let i = 0; i < rounds; i++) {
      const round = await measureRound(system, crowd, measureMs);
      console.log(
        `1 client ${shown(round.before)}, ${CLIENTS} clients ${shown(round.all)}, 1 client ${shown(round.after)}`,
      );
      measured.push(round);
    }
  } finally {
    await crowd.stop();
    await system.stop();
  }
  const storm = await measureStorm();
  console.log(
    `${storm.clients} clients back in ${Math.round(storm.backMs)} ms, ${storm.recovered} recovered`,
  );

  const cpuRatios = measured.map(({ before, all, after }) => perAsked(all) / perAsked(before, after));
  const none = (count: (cost: Cost) => number) =>
    goal(Math.max(...measured.map(({ before, all }) => count(all) - count(before))), 0, "at most", "more");
  return {
    rounds,
    goals: {
      P7: goal(median(cpuRatios), 1.05, "at most"),
      "P7.processes": none(({ processes }) => processes),
      "P7.connections": none(({ connections }) => connections),
      "P7.streams": none(({ streams }) => streams),
      "storm.recovered": goal(storm.recovered, storm.clients, "at least", "clients"),
    },
    raw: { measured, cpuRatios, storm },
  };
};

/** All clients stand between one and one: what the sidecar's code gains as it warms up cancels out. */
type Round = { before: Cost; all: Cost; after: Cost };

/** Each round has a task of its own, which outlasts it. */
async function measureRound(system: System, crowd: Crowd, measureMs: number): Promise<Round> {
  const { gateway } = system;
  const taskId = await startTask(system);
  await forMs(WARM_UP_MS);
  const before = await measure(system, measureMs);
  await crowd.connect("others", await clientsOf(gateway, CLIENTS - 1, [{}]));
  await crowd.haveSnapshots("others");
  const all = await measure(system, measureMs);
  await crowd.drop("others");
  const after = await measure(system, measureMs);
  const { task } = TaskAnswer.parse(await post(gateway, `/${taskId}/stop`));
  if (task.state !== "stopped") throw new Error(`the task did not last: ${task.state}`);
  return { before, all, after };
}

async function startTask({ gateway }: System): Promise<string> {
  const { taskId } = z.object({ taskId: z.string() }).parse(await post(gateway, "", TASK));
  return taskId;
}

async function post({ url, token }: RunningGateway, path: string, body: object = {}): Promise<unknown> {
  const answer = await fetch(`${url}/v1/hives/default/tasks${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token()}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the task was refused: ${await answer.text()}`);
  return answer.json();
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
function perAsked(...costs: Cost[]): number {
  const sum = (count: (cost: Cost) => number) => costs.reduce((all, cost) => all + count(cost), 0);
  return sum(({ cpuMs }) => cpuMs) / sum(({ askedBytes }) => askedBytes);
}

const shown = ({ cpuMs, askedBytes }: Cost): string => `${cpuMs.toFixed(0)} ms for ${askedBytes} B asked`;
