/** Tasks over a real ledger and a fake executor, for the tests of `swarm/tasks.ts`. */
import { onTestFinished, vi } from "vitest";
import type { Task } from "../../../shared/swarm/task.ts";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import type { Profile } from "../../../sidecar/swarm/profiles/profile.ts";
import { Tasks, type TasksOptions } from "../../../sidecar/swarm/tasks.ts";
import {
  FakeExecutor,
  fakeProfile,
  noFallback,
  scratchDirectory,
  silentLog,
  succeeded,
  TASK_ID,
  unreachable,
} from "./fakes.ts";

export type Options = Partial<TasksOptions> & { directory?: string; profile?: Profile };

export function start({ directory = scratchDirectory(), ...overrides }: Options = {}) {
  const executor = new FakeExecutor();
  const ledger = new Ledger(directory);
  const changes: Task[] = [];
  const options: TasksOptions = {
    ledger,
    executor,
    profile: fakeProfile(),
    cli: ["cli"],
    ...noFallback,
    telemetry: { taskStatus: unreachable, swarmStatus: unreachable },
    telemetryTimeoutMs: 20,
    commandTimeoutMs: 1_000,
    onChange: (task) => changes.push(task),
    now: Date.now,
    log: silentLog,
    stopGraceMs: 20,
    recoveryRetryMs: 5,
    ...overrides,
  };
  const tasks = new Tasks(options);
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    tasks.close();
    ledger.close();
  };
  onTestFinished(close);
  return { tasks, executor, ledger, changes, close };
}

export const ended = (tasks: Tasks, id = TASK_ID): Promise<Task> =>
  vi.waitFor(() => {
    const task = tasks.get(id);
    if (task.endedAt === null) throw new Error(`the task is ${task.state}`);
    return task;
  });

/** The ledger's next changes fail, as on a full disk. */
export function failChanges(ledger: Ledger, times: number): void {
  const change = vi.spyOn(ledger, "change");
  for (let n = 0; n < times; n++) {
    change.mockImplementationOnce(() => {
      throw new Error("disk full");
    });
  }
}

export const never = <T>(): Promise<T> => new Promise(() => {});

export const prepare = {
  check: ["status"],
  isReady: (result: CommandResult) => result.stdout === "ready",
  argv: ["init"],
};

/** A swarm that is ready once `init` was run. */
export const initialised = (executor: FakeExecutor) => async () =>
  succeeded(executor.commands.some((argv) => argv.includes("init")) ? "ready" : "");
