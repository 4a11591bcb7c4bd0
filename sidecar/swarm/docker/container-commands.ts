/** Commands in one container, if it is on the allow list. */
import type Dockerode from "dockerode";
import { HivegateError } from "../../../shared/errors.ts";
import type { Exit } from "../executor.ts";
import { type CommandOutput, firstOf } from "../process/command-output.ts";
import { dockerUnavailable, isNotFound } from "./docker-error.ts";
import { exitOf, startExec } from "./exec.ts";

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

type ContainerState = Dockerode.ContainerInspectInfo["State"];

export class ContainerCommands {
  readonly #options: DockerExecutorOptions;
  readonly #container: Dockerode.Container;
  readonly #closed: AbortSignal;

  constructor(options: DockerExecutorOptions, closed: AbortSignal) {
    this.#options = options;
    this.#container = options.docker.getContainer(options.container);
    this.#closed = closed;
  }

  /** @throws HivegateError `container_not_allowed` */
  checkAllowed(): void {
    if (!this.#options.allowed.includes(this.#options.container)) {
      throw new HivegateError("container_not_allowed");
    }
  }

  /** When a call to Docker that is made now has taken too long. */
  soon(): AbortSignal {
    return AbortSignal.timeout(this.#options.commandTimeoutMs);
  }

  /**
   * Creates an exec, which does not run yet. `env` holds `NAME=value`; `stdin`: it will be written to.
   * @throws HivegateError `swarm_unavailable`, `container_not_allowed`
   */
  async create(
    argv: readonly string[],
    env: readonly string[],
    abortSignal: AbortSignal = this.soon(),
    { stdin = false } = {},
  ): Promise<Dockerode.Exec> {
    this.checkAllowed();
    const { workdir, user } = this.#options;
    try {
      return await this.#container.exec({
        Cmd: [...argv],
        Env: [...env],
        ...(stdin && { AttachStdin: true }),
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

  /**
   * Runs a short command until it ends, or has written or taken too much; then it is left as it is.
   * @throws as `create`
   */
  async run(
    argv: readonly string[],
    { env, output, timeoutMs }: { env: readonly string[]; output: CommandOutput; timeoutMs: number },
  ): Promise<{ exec: Dockerode.Exec; first: Exit | null | "timeout" | "output_limit" }> {
    const start = AbortSignal.timeout(Math.min(timeoutMs, this.#options.commandTimeoutMs));
    const done = new AbortController();
    const closed = AbortSignal.any([this.#closed, done.signal]);
    const exec = await this.create(argv, env, start);
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

  /** @throws what dockerode throws */
  async containerState(abortSignal: AbortSignal): Promise<ContainerState> {
    return (await this.#container.inspect({ abortSignal })).State;
  }

  /** Whether anything can be alive in the container. @throws HivegateError `swarm_unavailable` */
  async isContainerRunning(): Promise<boolean> {
    try {
      return (await this.containerState(this.soon())).Running;
    } catch (thrown) {
      if (isNotFound(thrown)) return false;
      throw dockerUnavailable(thrown);
    }
  }
}
