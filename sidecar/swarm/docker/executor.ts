/**
 * Runs swarm commands by `docker exec` in one allow-listed container. The API cannot end an exec, so every
 * process carries a marker in its environment and is signalled by a second exec inside the container.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type Dockerode from "dockerode";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CommandResult, Executor, ExecutorHealth, Exit, OutputSink, Recovery } from "../executor.ts";
import { CommandOutput } from "../process/command-output.ts";
import { AWAIT_MARKED, commandMarker, END_MARKED, taskMarker } from "../process/marked.ts";
import { ContainerCommands, type DockerExecutorOptions } from "./container-commands.ts";
import { dockerUnavailable, mayHaveArrived } from "./docker-error.ts";
import { exitOf, foundState, type OutputEnd, startExec } from "./exec.ts";

const HEALTH_TIMEOUT_MS = 2_000;
/** What END_MARKED takes at most beyond its grace, with the start of a Node process on a busy machine. */
const END_MARKED_MS = 15_000;
/** How often processes are ended anew while their exec still runs: a starting one has no marker yet. */
const END_ROUNDS = 5;
const END_ROUND_MS = 500;
/** How soon processes are looked for anew when Docker could not be asked. */
const LOOK_AGAIN_MS = 500;

/**
 * What Docker says of an exec whose connection broke while it wrote: the process may run on, and how it really
 * ends will not be known. A program that cannot be executed gets the same code.
 */
const BROKEN_OFF = 126;

/**
 * Whether Docker's word on an exec says nothing of its process. A daemon that restarts under live containers
 * forgets their execs, while the processes run on.
 */
const tellsNothing = ({ exitCode }: Exit): boolean => exitCode === null || exitCode === BROKEN_OFF;

export const createDockerExecutor = (options: DockerExecutorOptions): Executor => new DockerExecutor(options);

class DockerExecutor implements Executor {
  readonly method = "docker-exec";
  readonly #docker: Dockerode;
  readonly #commands: ContainerCommands;
  readonly #closed = new AbortController();
  /** The execs of running tasks. */
  readonly #tasks = new Map<string, Dockerode.Exec>();

  constructor(options: DockerExecutorOptions) {
    this.#docker = options.docker;
    this.#commands = new ContainerCommands(options, this.#closed.signal);
  }

  async run(argv: readonly string[], { timeoutMs }: { timeoutMs: number }): Promise<CommandResult> {
    const marker = commandMarker(randomUUID());
    const output = new CommandOutput(LIMITS.commandOutputBytes);
    const { exec, first } = await this.#commands.run(argv, { env: [marker], output, timeoutMs });
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
    const exec = await this.#commands.create(spec.argv, [taskMarker(spec.taskId)]);
    callbacks.remember(exec.id);
    try {
      const signals = { start: this.#commands.soon(), closed: this.#closed.signal };
      const { output } = await startExec(exec, callbacks.output, signals);
      return { exit: this.#watchAll(spec.taskId, exec, output) };
    } catch (thrown) {
      if (!mayHaveArrived(thrown)) throw dockerUnavailable(thrown);
      // It may be running: to say that it failed would invite somebody to start it a second time.
      return { exit: this.#watchAll(spec.taskId, exec, Promise.resolve("broken")) };
    }
  }

  /** Docker keeps no output of an exec, so what came while nobody watched is always taken for lost. */
  async recover(spec: { taskId: string; handle: string | null }): Promise<Recovery> {
    if (spec.handle === null) return { status: "never_started" };
    this.#commands.checkAllowed();
    const exec = this.#docker.getExec(spec.handle);
    const state = await foundState(exec, this.#closed.signal).catch((thrown: unknown) => {
      throw dockerUnavailable(thrown);
    });
    switch (state.status) {
      case "unstarted":
        return { status: "never_started" };
      case "ended":
        if (!tellsNothing(state.exit)) return { status: "ended", lostOutput: true, exit: state.exit };
        break;
      case "running":
        break;
    }
    const exit = this.#watch(spec.taskId, exec, Promise.resolve("broken"));
    return { status: "running", lostOutput: true, exit };
  }

  async stop(taskId: string, { graceMs }: { graceMs: number }): Promise<void> {
    this.#commands.checkAllowed();
    await this.#end(taskMarker(taskId), this.#tasks.get(taskId) ?? null, graceMs);
  }

  async health(): Promise<ExecutorHealth> {
    try {
      this.#commands.checkAllowed();
      const state = await this.#commands.containerState(AbortSignal.timeout(HEALTH_TIMEOUT_MS));
      const details = { status: state.Status, startedAt: state.StartedAt };
      if (state.Running && !state.Paused) return { running: true, details };
      return {
        running: false,
        details: { ...details, reason: `The swarm's container is ${state.Status}. Start it.` },
      };
    } catch (thrown) {
      return { running: false, details: { reason: dockerUnavailable(thrown).message } };
    }
  }

  async canStart(): Promise<boolean> {
    return (await this.health()).running;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#tasks.clear();
  }

  /** As `#watch`; the exit says as well whether output may be missing: a task can outlive what told of it. */
  async #watchAll(taskId: string, exec: Dockerode.Exec, output: Promise<OutputEnd>): Promise<Exit> {
    const exit = await this.#watch(taskId, exec, output);
    const isWhole = (await output) === "whole" && exit.exitCode !== null;
    return isWhole ? exit : { ...exit, lostOutput: true };
  }

  async #watch(taskId: string, exec: Dockerode.Exec, output: Promise<OutputEnd>): Promise<Exit> {
    this.#tasks.set(taskId, exec);
    const wasWhole = (await output) === "whole";
    const exit = (await exitOf(exec, this.#closed.signal)) ?? { exitCode: null };
    const isKnown = exit.exitCode !== null && (wasWhole || !tellsNothing(exit));
    if (!isKnown) await this.#untilGone(taskMarker(taskId));
    this.#tasks.delete(taskId);
    return isKnown ? exit : { exitCode: null };
  }

  /**
   * Waits inside the container until no process with the marker is left, for as long as a task may run.
   * While Docker does not answer they may run on: it is asked again. Never settles once closed.
   */
  async #untilGone(marker: string): Promise<void> {
    const giveUpAtMs = performance.now() + LIMITS.taskRunMs;
    while (performance.now() < giveUpAtMs) {
      if (await this.#isGone(marker, giveUpAtMs - performance.now())) return;
      await sleep(LOOK_AGAIN_MS, undefined, { signal: this.#closed.signal }).catch(() => {});
      if (this.#closed.signal.aborted) return new Promise(() => {});
    }
  }

  /** True too where nobody can look: a container without node keeps its secret. */
  async #isGone(marker: string, timeoutMs: number): Promise<boolean> {
    const argv = ["node", "-e", AWAIT_MARKED, marker];
    const output = new CommandOutput(LIMITS.commandOutputBytes);
    try {
      const { first } = await this.#commands.run(argv, { env: [], output, timeoutMs });
      return typeof first === "object" && first !== null && first.exitCode !== null;
    } catch {
      // Nothing lives on in a container that has stopped.
      return this.#commands.isContainerRunning().then(
        (isRunning) => !isRunning,
        () => false,
      );
    }
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
      const { first } = await this.#commands.run(argv, {
        env: [],
        output,
        timeoutMs: graceMs + END_MARKED_MS,
      });
      if (typeof first === "object" && first?.exitCode === 0) return "none_left";
    } catch (thrown) {
      if (!(await this.#commands.isContainerRunning())) return "container_stopped";
      throw thrown;
    }
    throw new HivegateError(
      "swarm_failed",
      "The command's processes could not be ended. That needs node on the container's PATH.",
      { cause: output.stderr || output.stdout },
    );
  }
}
