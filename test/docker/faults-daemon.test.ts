/** What becomes of tasks when Docker's daemon goes away and comes back, with and without its live-restore. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRunDockerd, type OwnDockerd, ownDockerd } from "../support/own-dockerd.ts";
import { type SteppedSystem, startSteppedSystem } from "../support/stepped-system.ts";

describe.skipIf(!canRunDockerd())("Docker's daemon", () => {
  let daemon: OwnDockerd;
  let all: SteppedSystem;

  beforeAll(async () => {
    daemon = ownDockerd();
    await daemon.start({ liveRestore: false });
    all = await startSteppedSystem(daemon.docker, { DOCKER_SOCKET: daemon.socketPath });
  });
  afterAll(async () => {
    try {
      await all?.stop();
    } finally {
      await daemon?.remove();
    }
  });

  async function expectRefused(task: string): Promise<void> {
    await expect(all.system.client.createTask({ task })).rejects.toThrow(
      /^Docker does not answer.* Nothing was run: the same request may be sent again\.$/,
    );
    expect(all.runs(task)).toBe(0);
    await all.circuitIs("open");
  }

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "H9 S4 ended by %s and started again: the task ends with its container, and is not run again",
    async (signal) => {
      const text = `through ${signal}`;
      const { taskId, release } = await all.working(text);
      await daemon.end(signal);
      await expectRefused(`during ${signal}`);
      await daemon.start({ liveRestore: false });
      await all.stepped.container.start();
      release();
      await all.expectEndWithContainer(taskId);
      expect(all.runs(text)).toBe(1);
      await all.expectWell(`after ${signal}`);
    },
  );

  describe("with live-restore", () => {
    beforeAll(async () => {
      await daemon.end("SIGTERM");
      await daemon.start({ liveRestore: true });
      await all.stepped.container.start();
      await all.circuitIs("closed");
    });

    it.each(["SIGTERM", "SIGKILL"] as const)(
      "H9 S4 ended by %s and started again: the task lives on and is found, its end is awaited, what nobody saw is said",
      async (signal) => {
        const text = `living through ${signal}`;
        const { taskId, release } = await all.working(text);
        await daemon.end(signal);
        await expectRefused(`living during ${signal}`);
        await daemon.start({ liveRestore: true });
        await all.circuitIs("closed");
        expect((await all.system.client.task(taskId)).state).toBe("running");
        release();
        const { task, events } = await all.endOf(taskId);
        expect(task).toMatchObject({ state: "lost", exitCode: null });
        expect(events.filter(({ kind }) => kind === "gap")).toHaveLength(1);
        expect(all.runs(text)).toBe(1);
        await all.expectWell(`living after ${signal}`);
      },
    );
  });
});
