/** What becomes of tasks when there is no room left for the ledger. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker, dockerAvailable } from "../support/docker.ts";
import { canMount, type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { type SteppedSystem, startSteppedSystem } from "../support/stepped-system.ts";

describe.skipIf(!canMount() || !(await dockerAvailable()))("a full disk under the ledger", () => {
  let disk: SmallDisk;
  let all: SteppedSystem;

  beforeAll(async () => {
    disk = smallDisk(2_048);
    all = await startSteppedSystem(docker, { SIDECAR_STATE_DIR: disk.dir });
  });
  afterAll(async () => {
    await all?.stop();
    disk?.remove();
  });

  it("H9 S6 refuses new tasks and says why; those that run go on, and their ends are told when there is room", async () => {
    const { client } = all.system;
    const { taskId, release } = await all.working("noisy");
    disk.fill();
    const create = () => client.createTask({ task: "no room", idempotencyKey: "no room" });
    await expect(create()).rejects.toMatchObject({
      code: "swarm_unavailable",
      message: expect.stringMatching(/free space.* Nothing was run/),
    });
    expect(all.runs("no room")).toBe(0);
    release();
    await all.expectNothingRuns();
    expect((await client.task(taskId)).state).toBe("running");

    disk.empty();
    const { task, events } = await all.endOf(taskId);
    // Its closing line may be among what was lost, so nothing is said of how it did.
    expect(task).toMatchObject({ state: "lost", exitCode: 0 });
    expect(events.filter(({ kind }) => kind === "gap")).toMatchObject([
      { reason: "Output could not be stored." },
    ]);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    const again = await create();
    expect((await all.endOf(again.task.taskId)).task.state).toBe("completed");
    expect([all.runs("noisy"), all.runs("no room")]).toEqual([1, 1]);
  });

  it("H9 a sidecar that is killed does not start again without room, says why, and finds its task when there is", async () => {
    const { system } = all;
    const { taskId, release } = await all.working("killed meanwhile");
    disk.fill();
    await expect(system.killAndRestartSidecar()).rejects.toMatchObject({
      output: "sidecar: SIDECAR_STATE_DIR: database or disk is full",
    });
    disk.empty();
    await system.killAndRestartSidecar();
    expect((await system.client.task(taskId)).state).toBe("running");
    release();
    expect((await all.endOf(taskId)).task.state).toBe("lost");
    expect(all.runs("killed meanwhile")).toBe(1);
    await all.expectWell("with room");
  });
});
