import { outputText } from "../../shared/client/decode.ts";
import type { HivegateClient } from "../../shared/client/rest.ts";
import { taskDuration } from "../../shared/client/time-text.ts";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { EXIT, type ExitCode, type Io } from "./command.ts";
import { exitCodeOf, stateText } from "./task-text.ts";

/**
 * Shows a task's output as it comes, its stdout on stdout and its stderr on stderr, until it has ended; with
 * `json` every event as a line. Ctrl-C ends the watching, not the task.
 */
export async function followTask(
  client: HivegateClient,
  task: Task,
  options: { after: number; json: boolean },
  io: Io,
): Promise<ExitCode> {
  const leave = new AbortController();
  const release = io.onInterrupt(() => leave.abort());
  let last = task;
  let seen = options.after;
  let isLost = false;
  const retrying = () => {
    if (!isLost) void io.err("hivegate: the connection was lost; trying again.\n");
    isLost = true;
  };
  try {
    const events = client.events(task.taskId, { after: seen, signal: leave.signal, retrying });
    for await (const event of events) {
      isLost = false;
      seen = event.seq;
      if (event.kind === "state") last = event.task;
      await (options.json ? io.out(`${JSON.stringify(event)}\n`) : show(event, io));
    }
  } finally {
    release();
  }
  if (leave.signal.aborted) {
    await io.err(`\nThe task goes on. Follow it again: hivegate follow ${task.taskId} --after ${seen}\n`);
    return EXIT.interrupted;
  }
  await io.err(`${endText(last, io.now())}\n`);
  return exitCodeOf(last.state);
}

async function show(event: TaskEvent, io: Io): Promise<void> {
  if (event.kind === "output") await (event.stream === "stdout" ? io.out : io.err)(outputText(event));
  else if (event.kind === "gap") await io.err(`hivegate: some output is missing: ${event.reason}\n`);
}

function endText(task: Task, nowMs: number): string {
  const parts = [stateText(task.state), taskDuration(task, nowMs)];
  if (task.exitCode !== null && task.exitCode !== 0) parts.push(`exit code ${task.exitCode}`);
  if (task.error) parts.push(task.error.message);
  return parts.filter(Boolean).join(", ");
}
