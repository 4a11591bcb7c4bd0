/** A sidecar's tasks, asked for as its gateway does. */
import { expect, vi } from "vitest";
import { TaskAnswer } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { type Sidecar, signedFetch } from "./sidecar.ts";

export const lookUp = async ({ url }: Pick<Sidecar, "url">, taskId: string): Promise<Task> =>
  TaskAnswer.parse(await (await signedFetch(`${url}/v1/tasks/${taskId}`)).json()).task;

/** The task, once it has ended. */
export const ended = (sidecar: Pick<Sidecar, "url">, taskId: string): Promise<Task> =>
  vi.waitFor(
    async () => {
      const task = await lookUp(sidecar, taskId);
      expect(task.endedAt).not.toBeNull();
      return task;
    },
    { timeout: 30_000, interval: 100 },
  );
