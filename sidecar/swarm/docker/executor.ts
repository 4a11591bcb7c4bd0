/**
 * Runs swarm commands by `docker exec` in one allow-listed container. The API cannot end an exec, so every
 * process carries a marker in its environment and is signalled by a second exec inside the container.
 */
import { randomUUID } from "node:crypto";
import type Dockerode from "dockerode";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CommandResult, Executor, ExecutorHealth, Exit, OutputSink, Recovery } from "../executor.ts";
import { CommandOutput, firstOf } from "../process/command-output.ts";
import { commandMarker, END_MARKED, taskMarker } from "../process/marked.ts";
import { dockerUnavailable, isNotFound, mayHaveArrived } from "./docker-error.ts";
import { exitOf, foundState, startExec } from "./exec.ts";

const HEALTH_TIMEOUT_MS = 2_000;
/** What END_MARKED takes at most beyond its grace, with the start of a Node process on a busy machine. */
const END_MARKED_MS = 15_000;
/** How often processes are ended anew while their exec still runs: a starting one has no marker yet. */
const END_ROUNDS = 5;
const END_ROUND_MS = 500;

export type DockerExecutorOptions = {
  docker: Dockerode;
  container: string;
  allowed: readonly string[];
  /** Directory and user inside the container; its own defaults when left out. */
  workdir?: string;
  user?: string;
  /** How long Docker may take to answer one call. */
  commandTimeoutMs: number;
};

export const createDockerExecutor = (options: DockerExecutorOptions): Executor => new DockerExecutor(options);

class DockerExecutor implements Executor {
  readonly method = "docker-exec";
  readonly #options: DockerExecutorOptions;
  readonly #container: Dockerode.Container;
  readonly #closed = new AbortController();
  /** The execs of running tasks. */
  readonly #tasks = new Map<string, Dockerode.Exec>();

  constructor(options: DockerExecutorOptions) {
    this.#options = options;
    this.#container = options.docker.getContainer(options.container);
  }

  async run(argv: readonly string[], { timeoutMs }: { timeoutMs: number }): Promise<CommandResult> {
    const marker = commandMarker(randomUUID());
    const output = new CommandOutput(LIMITS.commandOutputBytes);
    const { exec, first } = await this.#command(argv, [marker], output, timeoutMs);
    const cutOff = first === "timeout" || first === "output_limit";
    if (cutOff) await this.#end(marker, exec, 0);
    return {
      exitCode: cutOff ? null : (first?.exitCode ?? null),
      stdout: output.stdout,
      stderr: output.stderr,
      ended: cutOff ? first : null,
    };
  }

  async start(
    spec: { taskId: string; argv: readonly string[] },
    callbacks: { output: OutputSink; remember(handle: string): void },
  ): Promise<{ exit: Promise<Exit> }> {
    const exec = await this.#create(spec.argv, [taskMarker(spec.taskId)], this.#soon());
    callbacks.remember(exec.id);
    try {
      const signals = { start: this.#soon(), closed: this.#closed.signal };
      const { output } = await startExec(exec, callbacks.output, signals);
      return { exit: this.#watch(spec.taskId, exec, output) };
    } catch (thrown) {
      if (!mayHaveArrived(thrown)) throw dockerUnavailable(thrown);
      // It may be running: to say that it failed would invite somebody to start it a second time.
      callbacks.output("stderr", "[hivegate] Docker broke off the task's start. Its output is lost.\n");
      return { exit: this.#watch(spec.taskId, exec, Promise.resolve()) };
    }
  }

  /** Docker keeps no output of an exec, so what came while nobody watched is always taken for lost. */
  async recover(spec: { taskId: string; handle: string | null }): Promise<Recovery> {
    if (spec.handle === null) return { status: "never_started" };
    this.#checkAllowed();
    const exec = this.#options.docker.getExec(spec.handle);
    const state = await foundState(exec, this.#soon()).catch((thrown: unknown) => {
      throw dockerUnavailable(thrown);
    });
    switch (state.status) {
      case "unstarted":
        return { status: "never_started" };
      case "ended":
        return { status: "ended", lostOutput: true, exit: state.exit };
      case "running": {
        const exit = this.#watch(spec.taskId, exec, Promise.resolve());
        return { status: "running", lostOutput: true, exit };
      }
    }
  }

  async stop(taskId: string, { graceMs }: { graceMs: number }): Promise<void> {
    this.#checkAllowed();
    await this.#end(taskMarker(taskId), this.#tasks.get(taskId) ?? null, graceMs);
  }

  async health(): Promise<ExecutorHealth> {
    try {
      this.#checkAllowed();
      const { State } = await this.#container.inspect({
        abortSignal: AbortSignal.timeout(HEALTH_TIMEOUT_MS),
      });
      const details = { status: State.Status, startedAt: State.StartedAt };
      if (State.Running && !State.Paused) return { running: true, details };
      return {
        running: false,
        details: { ...details, reason: `The swarm's container is ${State.Status}. Start it.` },
      };
    } catch (thrown) {
      return { running: false, details: { reason: dockerUnavailable(thrown).message } };
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#tasks.clear();
  }

  #checkAllowed(): void {
    if (!this.#options.allowed.includes(this.#options.container)) {
      throw new HivegateError("container_not_allowed");
    }
  }

  #soon(): AbortSignal {
    return AbortSignal.timeout(this.#options.commandTimeoutMs);
  }

  async #create(
    argv: readonly string[],
    env: readonly string[],
    abortSignal: AbortSignal,
  ): Promise<Dockerode.Exec> {
    this.#checkAllowed();
    const { workdir, user } = this.#options;
    try {
      return await this.#container.exec({
        Cmd: [...argv],
        Env: [...env],
        AttachStdout: true,
        AttachStderr: true,
        ...(workdir === undefined ? {} : { WorkingDir: workdir }),
        ...(user === undefined ? {} : { User: user }),
        abortSignal,
      });
    } catch (thrown) {
      throw dockerUnavailable(thrown);
    }
  }

  /** Runs a short command until it ends, or has written or taken too much; then it is left as it is. */
  async #command(
    argv: readonly string[],
    env: readonly string[],
    output: CommandOutput,
    timeoutMs: number,
  ): Promise<{ exec: Dockerode.Exec; first: Exit | null | "timeout" | "output_limit" }> {
    const start = AbortSignal.timeout(Math.min(timeoutMs, this.#options.commandTimeoutMs));
    const done = new AbortController();
    const closed = AbortSignal.any([this.#closed.signal, done.signal]);
    const exec = await this.#create(argv, env, start);
    try {
      const begun = await startExec(exec, output.add, { start, closed });
      const exit = begun.output.then(() => exitOf(exec, closed));
      return { exec, first: await firstOf(exit, output, timeoutMs) };
    } catch (thrown) {
      throw dockerUnavailable(thrown);
    } finally {
      done.abort();
    }
  }

  async #watch(taskId: string, exec: Dockerode.Exec, output: Promise<void>): Promise<Exit> {
    this.#tasks.set(taskId, exec);
    await output;
    const exit = await exitOf(exec, this.#closed.signal);
    this.#tasks.delete(taskId);
    return exit ?? { exitCode: null };
  }

  /** Ends all processes with the marker, and sees to it that `exec`, which they belong to, is over. */
  async #end(marker: string, exec: Dockerode.Exec | null, graceMs: number): Promise<void> {
    for (let round = 0; round < END_ROUNDS; round++) {
      if ((await this.#endMarked(marker, graceMs)) === "container_stopped") return;
      if (exec === null || (await exitOf(exec, this.#closed.signal, END_ROUND_MS)) !== null) return;
    }
    throw new HivegateError("swarm_failed", "The command's processes could not be ended.");
  }

  async #endMarked(marker: string, graceMs: number): Promise<"none_left" | "container_stopped"> {
    const argv = ["node", "-e", END_MARKED, marker, String(graceMs)];
    const output = new CommandOutput(LIMITS.commandOutputBytes);
    try {
      const { first } = await this.#command(argv, [], output, graceMs + END_MARKED_MS);
      if (typeof first === "object" && first?.exitCode === 0) return "none_left";
    } catch (thrown) {
      if (!(await this.#isRunning())) return "container_stopped";
      throw thrown;
    }
    throw new HivegateError(
      "swarm_failed",
      "The command's processes could not be ended. That needs node on the container's PATH.",
      { cause: output.stderr || output.stdout },
    );
  }

  async #isRunning(): Promise<boolean> {
    try {
      return (await this.#container.inspect({ abortSignal: this.#soon() })).State.Running;
    } catch (thrown) {
      if (isNotFound(thrown)) return false;
      throw dockerUnavailable(thrown);
    }
  }
}
