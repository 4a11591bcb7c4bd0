import { styleText } from "node:util";
import { stateWord } from "../../shared/client/decode.ts";
import { clockTime, taskDuration } from "../../shared/client/time-text.ts";
import type { Task, TaskState } from "../../shared/swarm/task.ts";
import { EXIT, type ExitCode, type Io } from "./command.ts";
import { table } from "./table.ts";

const COLOURS = {
  queued: "blue",
  spawning: "cyan",
  running: "cyan",
  completed: "green",
  failed: "red",
  stopped: "yellow",
  lost: "yellow",
} as const satisfies Record<TaskState, string>;

/** Coloured only for a terminal. */
export const stateText = (state: TaskState): string =>
  styleText(COLOURS[state], state, { stream: process.stderr });

export const tasksTable = (tasks: readonly Task[], io: Io): string =>
  table(
    [
      ["TASK", "STATE", "PRIORITY", "CREATED", "TOOK", "TEXT"],
      ...tasks.map((task) => [
        task.taskId,
        stateWord(task),
        task.priority,
        clockTime(task.createdAt, io.now()),
        taskDuration(task, io.now()) || "–",
        task.task,
      ]),
    ],
    io.columns,
  );

/** What the end of a task means to a script. */
export function exitCodeOf(state: TaskState): ExitCode {
  if (state === "completed") return EXIT.done;
  return state === "stopped" ? EXIT.stopped : EXIT.failed;
}
