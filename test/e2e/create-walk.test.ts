/**
 * A create, step by step from its client to the swarm's process and back, and at each step the loss of the gateway, of
 * the sidecar or of the connection. The client library goes on by itself; the swarm counts what it was made to run.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { processesFor, socketsOf } from "../support/left-over.ts";
import type { SwarmStep } from "../support/stepped-swarm.ts";
import type { Point } from "../support/stepped-way.ts";
import { startWalkedSystem, type WalkedSystem } from "../support/walked-system.ts";

const BY_CLIENT = "POST /v1/hives/default/tasks ";
const BY_GATEWAY = "POST /v1/tasks ";
const WITHIN_MS = 30_000;

type WayName = "toGateway" | "toSidecar";
/** A step that a create has come to: `reached` waits for it, `release` lets what stands still go on. */
type Standing = { reached(): Promise<void>; release(): void };
type Step = {
  when: string;
  /** Where the connection is lost. */
  way: WayName;
  stand(system: WalkedSystem): Promise<Standing>;
};

const onTheWay = (when: string, way: WayName, point: Point): Step => ({
  ...{ when, way },
  stand: async (system) => {
    const stopped = system[way].stopAt(way === "toGateway" ? BY_CLIENT : BY_GATEWAY, point);
    return { reached: () => stopped, release: () => system[way].goOn() };
  },
});

const inTheSwarm = (when: string, step: SwarmStep): Step => ({
  ...{ when, way: "toSidecar" },
  stand: async (system) => {
    // A sidecar asks once in its life whether the swarm is ready.
    if (step === "check") await system.replace("sidecar");
    return system.swarm.hold(step);
  },
});

const STEPS: Step[] = [
  onTheWay("before the gateway has any of it", "toGateway", { of: "request", at: "start" }),
  onTheWay("before the gateway has all of it", "toGateway", { of: "request", at: "last byte" }),
  onTheWay("before the sidecar has any of it", "toSidecar", { of: "request", at: "start" }),
  onTheWay("before the ledger has it", "toSidecar", { of: "request", at: "last byte" }),
  inTheSwarm("when the ledger has it, and the swarm is not ready yet", "check"),
  inTheSwarm("when its process runs, and has said nothing", "begun"),
  inTheSwarm("when its process has named its swarm", "working"),
  onTheWay("before the gateway has any of the answer", "toSidecar", { of: "answer", at: "start" }),
  onTheWay("before the gateway has all of the answer", "toSidecar", { of: "answer", at: "last byte" }),
  onTheWay("before the client has any of the answer", "toGateway", { of: "answer", at: "start" }),
  onTheWay("before the client has all of the answer", "toGateway", { of: "answer", at: "last byte" }),
];
const VICTIMS = ["connection", "gateway", "sidecar"] as const;
const CASES = STEPS.flatMap((step) => VICTIMS.map((victim) => ({ ...step, victim })));

const HOSTS = [
  { host: "workerd", start: startGateway },
  { host: "deno", start: startDenoGateway },
];

describe.each(HOSTS)("a create through $host, broken off", ({ start }) => {
  let system: WalkedSystem;
  let client: HivegateClient;
  let sockets: number;
  let count = 0;

  beforeAll(async () => {
    system = await startWalkedSystem(start);
    sockets = socketsOf(system.sidecar().pid);
    // With the shortest pauses: whoever is lost is waited for on the way, not by trying again.
    client = new HivegateClient({ ...system.access, random: () => 0 });
  });
  afterAll(() => system.stop());

  /** It ran once, is known once, has ended well, and nothing of it is left. */
  async function expectOneRun(taskId: string, text: string): Promise<void> {
    for await (const event of client.events(taskId)) void event;
    expect(await client.task(taskId)).toMatchObject({ task: text, state: "completed" });
    expect(system.swarm.runs(text)).toBe(1);
    expect((await client.tasks()).filter(({ task }) => task === text)).toHaveLength(1);
    await vi.waitFor(() => expect(processesFor(taskId)).toEqual([]), { timeout: WITHIN_MS });
  }

  it.each(CASES)("H9 $when, by the loss of the $victim: one run, its id, its end", async (at) => {
    const text = `walk ${++count}`;
    const standing = await at.stand(system);
    const creating = client.createTask({ task: text });
    await standing.reached();
    if (at.victim === "connection") system[at.way].cut();
    else await system.lose(at.victim);
    standing.release();
    if (at.victim !== "connection") await system.bringBack(at.victim);
    const { task } = await creating;
    await expectOneRun(task.taskId, text);
  });

  it("H9 when its process, as its first act, kills the sidecar: one run, its id, its end", async () => {
    const text = `walk ${++count}`;
    system.swarm.turnOnParent();
    const creating = client.createTask({ task: text });
    await vi.waitFor(() => expect(system.swarm.runs(text)).toBe(1), { timeout: WITHIN_MS });
    await system.replace("sidecar");
    const { task } = await creating;
    await expectOneRun(task.taskId, text);
  });

  it("H9 leaves the sidecar no socket", async () => {
    system.toGateway.cut();
    system.toSidecar.cut();
    await vi.waitFor(() => expect(socketsOf(system.sidecar().pid)).toBe(sockets), { timeout: WITHIN_MS });
  });
});
