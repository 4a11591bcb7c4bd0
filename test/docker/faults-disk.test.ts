/** What becomes of tasks when there is no room left for the ledger. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { docker, dockerAvailable, nodeImage, processesOf } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";
import { canMount, type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { type SteppedContainer, startSteppedContainer } from "../support/stepped-container.ts";

describe.skipIf(!canMount() || !(await dockerAvailable()))("a full disk under the ledger", () => {
  let disk: SmallDisk;
  let stepped: SteppedContainer;
  let system: DockerSystem;

  beforeAll(async () => {
    disk = smallDisk(2_048);
    stepped = await startSteppedContainer(docker, { image: await nodeImage() });
    system = await startDockerSystem({ ...stepped.env, SIDECAR_STATE_DIR: disk.dir });
  });
  afterAll(async () => {
    await system?.stop();
    await stepped?.remove();
    disk?.remove();
  });

  /** A task that has named its swarm and works on until `release`. */
  async function working(text: string) {
    const { reached, release } = stepped.swarm.hold("working");
    const { task } = await system.client.createTask({ task: text });
    await reached();
    return { taskId: task.taskId, release };
  }

  async function endOf(taskId: string): Promise<{ task: Task; events: TaskEvent[] }> {
    const events: TaskEvent[] = [];
    for await (const event of system.client.events(taskId)) events.push(event);
    return { task: await system.client.task(taskId), events };
  }

  it("H9 S6 refuses new tasks and says why; those that run go on, and their ends are told when there is room", async () => {
    const { taskId, release } = await working("noisy");
    disk.fill();
    const create = () => system.client.createTask({ task: "no room", idempotencyKey: "no room" });
    await expect(create()).rejects.toMatchObject({
      code: "swarm_unavailable",
      message: /free space.* Nothing was run/,
    });
    expect(stepped.swarm.runs("no room")).toBe(0);

    release();
    await vi.waitFor(
      async () =>
        expect((await processesOf(stepped.name)).filter((args) => args.includes("swarm.sh"))).toEqual([]),
      { timeout: 30_000, interval: 100 },
    );
    expect((await system.client.task(taskId)).state).toBe("running");
    disk.empty();
    const { task, events } = await endOf(taskId);
    console.log(
      task,
      events.filter((e) => e.kind === "gap"),
    );
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(stepped.swarm.runs("noisy")).toBe(1);

    const { task: again } = await create();
    expect((await endOf(again.taskId)).task.state).toBe("completed");
    expect(stepped.swarm.runs("no room")).toBe(1);
  });

  it("H9 a sidecar that is killed does not start again without room, says why, and finds its task when there is", async () => {
    const { taskId, release } = await working("killed meanwhile");
    disk.fill();
    await expect(system.killAndRestartSidecar()).rejects.toMatchObject({
      output: "sidecar: SIDECAR_STATE_DIR: database or disk is full",
    });
    disk.empty();
    await system.killAndRestartSidecar();
    expect((await system.client.task(taskId)).state).toBe("running");
    release();
    expect((await endOf(taskId)).task.state).toBe("lost");
    expect(stepped.swarm.runs("killed meanwhile")).toBe(1);
  });
});
