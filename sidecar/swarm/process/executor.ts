/**
 * Runs swarm commands as processes of this host. A task's process outlives the sidecar: it has a session of
 * its own, writes to files, and is found again by its marker.
 */
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../../shared/limits.ts";
import { CANNOT_WRITE, cannotWrite } from "../cannot-write.ts";
import type {
  CommandResult,
  Executor,
  ExecutorHealth,
  Exit,
  OutputSink,
  RecoverSpec,
  Recovery,
} from "../executor.ts";
import { CommandOutput, firstOf } from "./command-output.ts";
import { anyAlive, endProcesses, type Processes } from "./end.ts";
import { Follower } from "./follower.ts";
import { commandMarker, taskMarker } from "./marked.ts";
import { OutputFiles } from "./output-files.ts";
import { exitFrom, type SpawnOptions, spawnCommand, started } from "./spawn.ts";

/** How often a process that is no child of ours is looked for. */
const WATCH_MS = 500;
/** How long output is waited for after a command's own end, when what it started keeps its output open. */
const LINGER_MS = 1_000;

export type ProcessExecutorOptions = {
  /** Where the output of running tasks is kept; it has to survive a restart of the sidecar. */
  stateDir: string;
  cwd?: string;
  /** Beyond PATH, HOME, LANG and TZ, which children inherit. */
  env?: Record<string, string>;
};

/** @throws HivegateError `swarm_unavailable` when the state directory cannot be made */
export const createProcessExecutor = (options: ProcessExecutorOptions): Executor =>
  new ProcessExecutor(options);

class ProcessExecutor implements Executor {
  readonly method = "process";
  readonly #options: ProcessExecutorOptions;
  readonly #closed = new AbortController();
  readonly #tasks = new Map<string, { processes: Processes; letGo(): void }>();

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
    onDisk(() => mkdirSync(options.stateDir, { recursive: true, mode: 0o700 }));
  }

  async run(argv: readonly string[], { timeoutMs }: { timeoutMs: number }): Promise<CommandResult> {
    const marker = commandMarker(randomUUID());
    const child = this.#spawn(argv, marker, ["pipe", "pipe"]);
    const output = new CommandOutput(LIMITS.commandOutputBytes);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => output.add("stdout", text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => output.add("stderr", text));
    const closed = new Promise<Exit>((resolve) => {
      child.once("close", (code, signal) => resolve(exitFrom(code, signal)));
    });
    child.once("exit", () => {
      const linger = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, LINGER_MS);
      child.once("close", () => clearTimeout(linger));
    });
    const leader = await started(child);
    const first = await firstOf(closed, output, timeoutMs);
    const cutOff = first === "timeout" || first === "output_limit";
    if (cutOff) await endProcesses({ marker, leader }, 0);
    return {
      exitCode: cutOff ? null : first.exitCode,
      stdout: output.stdout,
      stderr: output.stderr,
      ended: cutOff ? first : null,
    };
  }

  async start(
    spec: { taskId: string; argv: readonly string[] },
    callbacks: { output: OutputSink; remember(handle: string): void },
  ): Promise<{ exit: Promise<Exit> }> {
    const marker = taskMarker(spec.taskId);
    const files = onDisk(() => new OutputFiles(this.#dirOf(spec.taskId)));
    try {
      callbacks.remember(spec.taskId);
      const child = this.#spawn(spec.argv, marker, files.descriptors());
      const ended = new Promise<Exit>((resolve) => {
        child.once("exit", (code, signal) => resolve(exitFrom(code, signal)));
      });
      const leader = await started(child);
      child.unref();
      files.noteLeader(leader);
      return { exit: this.#follow(spec.taskId, { marker, leader }, files, callbacks.output, ended) };
    } catch (thrown) {
      files.close();
      files.remove();
      throw thrown;
    }
  }

  async recover(spec: RecoverSpec, sink: OutputSink): Promise<Recovery> {
    const dir = this.#dirOf(spec.taskId);
    if (spec.handle === null) return { status: "never_started" };
    // It was there when the task was remembered, and it goes once the end is known.
    if (!existsSync(dir)) return { status: "ended", lostOutput: true, exit: { exitCode: null } };
    const files = onDisk(() => new OutputFiles(dir, spec.kept));
    const processes = { marker: taskMarker(spec.taskId), leader: files.leader() };
    const running = anyAlive(processes);
    const exit = this.#follow(spec.taskId, processes, files, sink, this.#gone(processes));
    if (running) return { status: "running", lostOutput: false, exit };
    return { status: "ended", lostOutput: false, exit: await exit };
  }

  async stop(taskId: string, { graceMs }: { graceMs: number }): Promise<void> {
    const leader = this.#tasks.get(taskId)?.processes.leader ?? null;
    await endProcesses({ marker: taskMarker(taskId), leader }, graceMs);
  }

  async health(): Promise<ExecutorHealth> {
    try {
      await access(this.#options.stateDir, constants.W_OK);
      return { running: true, details: { status: "running" } };
    } catch {
      return { running: false, details: { reason: CANNOT_WRITE } };
    }
  }

  async canStart(): Promise<boolean> {
    return (await this.health()).running;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const { letGo } of this.#tasks.values()) letGo();
    this.#tasks.clear();
  }

  #dirOf(taskId: string): string {
    return join(this.#options.stateDir, taskId);
  }

  #spawn(argv: readonly string[], marker: string, output: SpawnOptions["output"]): ChildProcess {
    return spawnCommand(argv, { cwd: this.#options.cwd, env: this.#options.env ?? {}, marker, output });
  }

  /** Delivers a task's output until `ended`, then the rest of it. Never settles once the executor is closed. */
  async #follow(
    taskId: string,
    processes: Processes,
    files: OutputFiles,
    sink: OutputSink,
    ended: Promise<Exit>,
  ): Promise<Exit> {
    const follower = new Follower(files, sink, () => {
      // One that cannot be ended goes on unheard, and its task stays running: that is the truth.
      endProcesses(processes, 0).catch(() => {});
    });
    this.#tasks.set(taskId, { processes, letGo: () => follower.close() });
    const exit = await ended;
    if (this.#closed.signal.aborted) return new Promise(() => {});
    follower.finish();
    this.#tasks.delete(taskId);
    // Whoever waits for the end notes it first: a sidecar killed in between still finds the task's files.
    setImmediate(() => files.remove());
    return exit;
  }

  /** The end of processes that are no children of ours, so nobody tells how they ended. */
  async #gone(processes: Processes): Promise<Exit> {
    while (!this.#closed.signal.aborted && anyAlive(processes)) {
      await sleep(WATCH_MS, undefined, { ref: false, signal: this.#closed.signal }).catch(() => {});
    }
    return { exitCode: null };
  }
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cannotWrite(cause);
  }
}
