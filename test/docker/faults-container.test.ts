/** What becomes of tasks when their container is restarted, paused, or removed and made anew under its name. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { docker, dockerAvailable } from "../support/docker.ts";
import { type SteppedSystem, startSteppedSystem } from "../support/stepped-system.ts";

describe.skipIf(!(await dockerAvailable()))("a container with tasks", () => {
  let all: SteppedSystem;

  beforeAll(async () => {
    all = await startSteppedSystem(docker, { DOCKER_COMMAND_TIMEOUT_MS: "3000" });
  });
  afterAll(() => all?.stop());

  it("H9 restarted: its task has ended and is not run again, the next one runs", async () => {
    const { taskId, release } = await all.working("restarted");
    await all.stepped.container.restart({ t: 0 });
    release();
    await all.expectEndWithContainer(taskId);
    expect(all.runs("restarted")).toBe(1);
    await all.expectWell("after the restart");
  });

  it("H9 removed and made anew: likewise, and the swarm is made ready first", async () => {
    const { taskId, release } = await all.working("removed");
    await all.stepped.recreate();
    release();
    await all.expectEndWithContainer(taskId);
    expect(all.runs("removed")).toBe(1);
    await all.expectWell("in the new container");
  });

  it("H9 S4 paused: new tasks and stops are refused at once, what ran before goes on afterwards", async () => {
    const { client } = all.system;
    const { taskId, release } = await all.working("paused");
    await all.stepped.container.pause();
    const create = () => client.createTask({ task: "refused", idempotencyKey: "refused" });
    await expect(create()).rejects.toThrow(/paused.* Nothing was run: the same request may be sent again/);
    expect(all.runs("refused")).toBe(0);
    await all.circuitIs("open");
    await expect(client.stop(taskId)).rejects.toMatchObject({ code: "circuit_open" });
    expect((await client.task(taskId)).state).toBe("running");

    await all.stepped.container.unpause();
    await all.circuitIs("closed");
    release();
    const { task } = await create();
    for (const id of [taskId, task.taskId]) {
      expect((await all.endOf(id)).task).toMatchObject({ state: "completed", exitCode: 0 });
    }
    expect([all.runs("paused"), all.runs("refused")]).toEqual([1, 1]);
    await all.expectWell("after the pause");
  });

  it("H9 S4 paused in the midst of a command: that is over at its time limit", async () => {
    const { client } = all.system;
    const { reached, release } = all.stepped.swarm.hold("list");
    const listed = client.swarms().catch((error: unknown) => error);
    await reached();
    await all.stepped.container.pause();
    expect(await listed).toMatchObject({ code: "swarm_unavailable" });
    await all.circuitIs("open");
    await all.stepped.container.unpause();
    await all.circuitIs("closed");
    release();
    expect((await client.swarms()).swarms).toEqual([]);
    await all.expectWell("after the command");
  });
});

describe.skipIf(!(await dockerAvailable()))("a container with a queue", () => {
  let all: SteppedSystem;

  beforeAll(async () => {
    all = await startSteppedSystem(docker, { MAX_RUNNING_TASKS: "1" });
  });
  afterAll(() => all?.stop());

  it("H9 stopped: the tasks that wait lose nothing but time, and run when it is started", async () => {
    const { client } = all.system;
    const { taskId, release } = await all.working("first");
    const { task: waiting } = await client.createTask({ task: "waiting" });
    expect(waiting.state).toBe("queued");
    await all.stepped.container.stop({ t: 0 });
    release();
    await all.expectEndWithContainer(taskId);
    await expect(client.swarms()).rejects.toMatchObject({
      code: expect.stringMatching(/unavailable|circuit/),
    });
    // Docker may say for a moment yet that the container runs, and then a start is tried in vain.
    await vi.waitFor(async () => expect((await client.task(waiting.taskId)).state).toBe("queued"));

    await all.stepped.container.start();
    expect((await all.endOf(waiting.taskId)).task.state).toBe("completed");
    expect([all.runs("first"), all.runs("waiting")]).toEqual([1, 1]);
  });
});
