/**
 * Every step of a create, and what may break there: the connection, the gateway, the sidecar. Whatever it is, the
 * task runs once and its client learns its id.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { outputText } from "../../shared/client/decode.ts";
import { HivegateClient } from "../../shared/client/rest.ts";
import { type Cutter, type Step, startCutter } from "../support/cutter.ts";
import { type System, startSystem } from "../support/system.ts";

const BY_CLIENT = "POST /v1/hives/default/tasks ";
const BY_GATEWAY = "POST /v1/tasks ";

let system: System;
let beforeGateway: Cutter;
let beforeSidecar: Cutter;
let client: HivegateClient;

beforeAll(async () => {
  system = await startSystem({
    sidecarAt: async (url) => {
      beforeSidecar = await startCutter(Number(new URL(url).port));
      return `http://127.0.0.1:${beforeSidecar.port}`;
    },
  });
  beforeGateway = await startCutter(system.gateway.port);
  client = new HivegateClient({
    baseUrl: `http://127.0.0.1:${beforeGateway.port}`,
    hive: "default",
    token: await system.gateway.token(),
    // With the longest pauses, because a machine may be busy.
    random: () => 1,
  });
});

afterAll(async () => {
  await beforeGateway.close();
  await system.stop();
  await beforeSidecar.close();
});

type Victim = "connection" | "gateway" | "sidecar";

const kill: Record<Victim, () => Promise<unknown>> = {
  connection: async () => {},
  gateway: () => system.gateway.kill("SIGKILL"),
  sidecar: () => system.sidecar.kill("SIGKILL"),
};
const bringBack: Record<Victim, () => Promise<unknown>> = {
  connection: async () => {},
  gateway: () => system.restartGateway(),
  sidecar: () => system.restartSidecar(),
};

/** How often the swarm was made to do the task, and how it ended. */
async function runsOf(taskId: string) {
  let output = "";
  for await (const event of client.events(taskId)) if (event.kind === "output") output += outputText(event);
  const { swarms } = await client.swarms();
  const spawned = output.match(/"event":"spawned"/g) ?? [];
  const { state } = await client.task(taskId);
  return { state, spawned: spawned.length, swarms: swarms.filter((swarm) => swarm.taskId === taskId).length };
}

const steps: [string, () => Cutter, Step, string][] = [
  ["before the gateway has the request", () => beforeGateway, "request", BY_CLIENT],
  ["before the sidecar has the request", () => beforeSidecar, "request", BY_GATEWAY],
  ["before the gateway has the answer", () => beforeSidecar, "answer", BY_GATEWAY],
  ["before the client has the answer", () => beforeGateway, "answer", BY_CLIENT],
];
const victims: Victim[] = ["connection", "gateway", "sidecar"];

describe("a create that is interrupted", () => {
  it.each(
    steps.flatMap(([when, cutter, step, request]) =>
      victims.map((victim) => ({ when, cutter, step, request, victim })),
    ),
  )("H9 U2 $when, by the loss of the $victim: one run, and its client learns its id", async (at) => {
    const cut = at.cutter().cutAt(at.step, at.request, kill[at.victim]);
    const creating = client.createTask({ task: "count primes below 1000" });
    await cut;
    await bringBack[at.victim]();
    const { task } = await creating;
    expect(await runsOf(task.taskId)).toEqual({ state: "completed", spawned: 1, swarms: 1 });
  });

  it.each([0, 2, 5, 15, 40])(
    "H9 within the sidecar, %i ms after it has the request: never two runs, and its client learns its id",
    async (waitMs) => {
      const cut = beforeSidecar.cutAt(waitMs, BY_GATEWAY, kill.sidecar);
      const creating = client.createTask({ task: "count primes below 2000" });
      await cut;
      await bringBack.sidecar();
      const { task } = await creating;
      const { state, spawned } = await runsOf(task.taskId);
      // Where its process was about to start nobody can say whether it did.
      expect([state, spawned]).toEqual(state === "lost" ? ["lost", 0] : ["completed", 1]);
    },
  );
});
