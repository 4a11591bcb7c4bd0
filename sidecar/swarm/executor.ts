/**
 * Where swarm commands run: in a container (`docker.ts`) or as processes of this host (`process.ts`).
 * Commands are argv arrays; no shell ever sees them.
 */
import type { Task } from "../../shared/swarm/task.ts";

/** A short command, run to its end. `exitCode` is null when it was ended from outside. */
export type CommandResult = {
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** Why we ended it ourselves, if we did. */
  ended: "timeout" | "output_limit" | null;
};

export type OutputStream = "stdout" | "stderr";

/**
 * Called with each piece of a task's output, in order; pieces are at most `LIMITS.taskEventBytes`. Where output can be
 * read again, `throughBytes` is where in its stream the piece ends.
 */
export type OutputSink = (stream: OutputStream, text: string, throughBytes?: number) => void;

/** Up to where each stream of a task's output was kept: `throughBytes` of the last piece. */
export type KeptBytes = Record<OutputStream, number>;

/** `handle` is what `start` remembered, null if it never got that far. Without `kept` all output counts as new. */
export type RecoverSpec = { taskId: string; handle: string | null; kept?: KeptBytes };

/**
 * How a task's process ended. `exitCode` is null when nobody could see it. `end` is there where somebody said in
 * words how it ended: then neither exit code nor output have to tell. `lostOutput`: the rest of its output did not come.
 */
export type Exit = {
  exitCode: number | null;
  end?: Pick<Task, "state" | "error">;
  lostOutput?: boolean;
};

/**
 * What became of a task's process while nobody watched.
 * `running`: it is watched again, `lostOutput` says whether some of its output could not be had back.
 * `ended`: it is over. `never_started`: it provably did not run.
 */
export type Recovery =
  | { status: "running"; lostOutput: boolean; exit: Promise<Exit> }
  | { status: "ended"; lostOutput: boolean; exit: Exit }
  | { status: "never_started" };

export type ExecutorHealth = { running: boolean; details: Record<string, unknown> };

export interface Executor {
  readonly method: "docker-exec" | "process";

  /**
   * Runs a short command (status, list, stop) to its end. One that outlives `timeoutMs` or writes more
   * than `LIMITS.commandOutputBytes` is ended, with everything it started.
   * @throws HivegateError `swarm_unavailable`, `container_not_allowed`
   */
  run(argv: readonly string[], options: { timeoutMs: number }): Promise<CommandResult>;

  /**
   * Starts a task's process and resolves when it runs. `remember` is called with a handle, synchronously,
   * before the process can run: whoever stores it can find the process again with `recover`.
   * The process and all it starts carry `HIVEGATE_TASK_ID=<taskId>` in their environment.
   * @throws HivegateError as `run`; then nothing was started
   */
  start(
    spec: { taskId: string; argv: readonly string[] },
    callbacks: { output: OutputSink; remember(handle: string): void },
  ): Promise<{ exit: Promise<Exit> }>;

  /**
   * Finds a task's process again after a restart of the sidecar. Output that can be read again comes from where it was
   * kept on.
   */
  recover(spec: RecoverSpec, output: OutputSink): Promise<Recovery>;

  /** Asks a task's processes to end (TERM), and ends them (KILL) if they live on after `graceMs`. */
  stop(taskId: string, options: { graceMs: number }): Promise<void>;

  /** Whether commands can be run now. Never throws: what is wrong is in `details.reason`. */
  health(): Promise<ExecutorHealth>;

  /** Whether a start would be tried now, and might succeed. Never throws. */
  canStart(): Promise<boolean>;

  /** Lets go of everything watched. Running tasks go on. */
  close(): Promise<void>;
}
