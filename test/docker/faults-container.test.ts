/** What becomes of tasks when their container is restarted, paused, or removed and made anew under its name. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Task } from "../../shared/swarm/task.ts";
import { docker, dockerAvailable, nodeImage, processesOf } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";
import { type SteppedContainer, startSteppedContainer } from "../support/stepped-container.ts";

const WITHIN_MS = 60_000;

describe.skipIf(!(await dockerAvailable()))("a container with tasks", () => {
  let stepped: SteppedContainer;
  let system: DockerSystem;

  beforeAll(async () => {
    stepped = await startSteppedContainer(docker, { image: await nodeImage() });
    system = await startDockerSystem({ ...stepped.env, DOCKER_COMMAND_TIMEOUT_MS: "5000" });
  });
  afterAll(async () => {
    await system?.stop();
    await stepped?.remove();
  });

  async function endOf(taskId: string): Promise<Task> {
    for await (const event of system.client.events(taskId)) void event;
    return system.client.task(taskId);
  }

  /** A task that has named its swarm and works on until `release`. */
  async function working(text: string) {
    const { reached, release } = stepped.swarm.hold("working");
    const { task } = await system.client.createTask({ task: text });
    await reached();
    return { taskId: task.taskId, release };
  }

  const circuit = async () =>
    (await system.client.health()).components.docker_hive_mind.circuit?.state ?? "none";
  const circuitIs = (state: string) =>
    vi.waitFor(async () => expect(await circuit()).toBe(state), { timeout: WITHIN_MS, interval: 100 });

  /** Its processes were killed with the container; whether Docker still tells so depends on who is faster. */
  async function expectEndWithContainer(taskId: string): Promise<void> {
    const { state, exitCode } = await endOf(taskId);
    expect([state, exitCode]).toEqual(exitCode === null ? ["lost", null] : ["failed", 137]);
  }

  /** A task that runs well, without being asked for twice. */
  async function expectWell(text: string): Promise<void> {
    const { task } = await system.client.createTask({ task: text });
    expect((await endOf(task.taskId)).state).toBe("completed");
    expect(stepped.swarm.runs(text)).toBe(1);
    expect((await processesOf(stepped.name)).filter((args) => args.includes("swarm.sh"))).toEqual([]);
  }

  it("H9 restarted: its task has ended and is not run again, the next one runs", async () => {
    const { taskId, release } = await working("restarted");
    await stepped.container.restart({ t: 0 });
    release();
    await expectEndWithContainer(taskId);
    expect(stepped.swarm.runs("restarted")).toBe(1);
    await circuitIs("closed");
    await expectWell("after the restart");
  });

  it("H9 S4 paused: new tasks and stops are refused at once, what ran before goes on afterwards", async () => {
    const { taskId, release } = await working("paused");
    await stepped.container.pause();
    const refused = system.client.createTask({ task: "refused", idempotencyKey: "refused" });
    await expect(refused).rejects.toThrow(/paused.* Nothing was run: the same request may be sent again/);
    await circuitIs("open");
    await expect(system.client.stop(taskId)).rejects.toMatchObject({ code: "circuit_open" });
    expect((await system.client.task(taskId)).state).toBe("running");
    await stepped.container.unpause();
    await circuitIs("closed");
    release();
    const { task } = await system.client.createTask({ task: "refused", idempotencyKey: "refused" });
    for (const [id, text] of [
      [taskId, "paused"],
      [task.taskId, "refused"],
    ] as const) {
      expect(await endOf(id)).toMatchObject({ state: "completed", exitCode: 0 });
      expect(stepped.swarm.runs(text)).toBe(1);
    }
    await expectWell("after the pause");
  });

  it("H9 S4 paused in the midst of a command: that ends at its time limit", async () => {
    const { reached, release } = stepped.swarm.hold("list");
    const listed = system.client.swarms().catch((error: unknown) => error);
    await reached();
    await stepped.container.pause();
    expect(await listed).toMatchObject({ code: "swarm_unavailable" });
    await circuitIs("open");
    await stepped.container.unpause();
    await circuitIs("closed");
    release();
    expect((await system.client.swarms()).swarms).toEqual([]);
    await expectWell("after the hanging command");
  });

  it("H9 removed and made anew: its task is lost and not run again, the next one finds the swarm made ready", async () => {
    const { taskId, release } = await working("removed");
    await stepped.recreate();
    release();
    await expectEndWithContainer(taskId);
    expect(stepped.swarm.runs("removed")).toBe(1);
    await circuitIs("closed");
    await expectWell("in the new container");
  });
});
