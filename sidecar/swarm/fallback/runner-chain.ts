import { asHivegateError, type ErrorCode, HivegateError } from "../../../shared/errors.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { TaskMethod } from "../../../shared/swarm/task.ts";
import type { Exit, Recovery } from "../executor.ts";
import type { SpawnRequest } from "../profiles/profile.ts";
import { readHandle } from "./handle.ts";
import type { McpRunner } from "./mcp-runner.ts";
import type { RunCallbacks, TaskRunner } from "./task-runner.ts";

/** ENABLE_DOCKER_PRIMARY, ENABLE_DOCKER_FALLBACK and ENABLE_MCP_FALLBACK. */
export type HybridFlags = { dockerPrimary: boolean; dockerFallback: boolean; mcpFallback: boolean };

/** Failures for which the next one in line is asked. Anything else is wrong with the request, or with us. */
const FALLS_BACK: readonly ErrorCode[] = [
  "swarm_unavailable",
  "swarm_failed",
  "timeout",
  "circuit_open",
  "mcp_unavailable",
  "mcp_failed",
];

type Failure = { method: TaskMethod; error: HivegateError };

/** Who does a hive's tasks: the swarm's commands, an MCP server, or the one when the other fails. */
export class RunnerChain {
  readonly #commands: TaskRunner;
  readonly #mcp: McpRunner;
  readonly #flags: HybridFlags;

  constructor(commands: TaskRunner, mcp: McpRunner, flags: HybridFlags) {
    this.#commands = commands;
    this.#mcp = mcp;
    this.#flags = flags;
  }

  /** Who is asked, one after the other: servers that take tasks come and go. */
  get #order(): readonly TaskRunner[] {
    const { dockerPrimary, dockerFallback, mcpFallback } = this.#flags;
    const servers = this.#mcp.takesTasks && mcpFallback ? [this.#mcp] : [];
    if (dockerPrimary) return [this.#commands, ...servers];
    return [...servers, ...(dockerFallback ? [this.#commands] : [])];
  }

  /**
   * Has a task done by the first that can; one that may have it is never followed by another.
   * @throws HivegateError; then nothing was started
   */
  start(request: SpawnRequest, callbacks: RunCallbacks): Promise<{ exit: Promise<Exit> }> {
    return this.#first((runner) => runner.start(request, callbacks));
  }

  /** Whether anybody can be given a task now. Never throws. */
  async canStart(): Promise<boolean> {
    for (const runner of this.#order) if (await runner.canStart()) return true;
    return false;
  }

  /** As `TaskRunner.recover`. */
  recover(...[spec, callbacks]: Parameters<TaskRunner["recover"]>): Promise<Recovery> {
    const runner = readHandle(spec.handle) ? this.#mcp : this.#commands;
    return runner.recover(spec, callbacks);
  }

  /** @throws HivegateError `not_supported`, or why it could not be stopped */
  stop(taskId: string, options: { graceMs: number }): Promise<void> {
    const runner = this.#mcp.has(taskId) ? this.#mcp : this.#commands;
    return runner.stop(taskId, options);
  }

  /** The swarms as the first tells of them that can, and who that was. @throws HivegateError as `start` */
  swarms(): Promise<{ swarms: Swarm[]; method: TaskMethod }> {
    return this.#first(async (runner) => ({ swarms: await runner.swarms(), method: runner.method }));
  }

  /** Call it when a task is not followed any more. */
  letGo(taskId: string): void {
    this.#mcp.letGo(taskId);
  }

  async #first<T>(work: (runner: TaskRunner) => Promise<T>): Promise<T> {
    const failures: Failure[] = [];
    for (const runner of this.#order) {
      try {
        return await work(runner);
      } catch (thrown) {
        const error = asHivegateError(thrown);
        failures.push({ method: runner.method, error });
        if (!FALLS_BACK.includes(error.code)) break;
      }
    }
    throw allFailed(failures);
  }
}

const NAMES: Record<TaskMethod, string> = {
  "docker-exec": "docker",
  process: "process",
  "mcp-fallback": "MCP",
};

/** One error that names every cause; its code is that of the swarm's own commands. */
function allFailed(failures: readonly Failure[]): HivegateError {
  const own = failures.find(({ method }) => method !== "mcp-fallback") ?? failures[0];
  if (!own)
    return new HivegateError(
      "mcp_unavailable",
      "Nobody takes tasks: no MCP server that can is configured, and the swarm's own commands are switched off.",
    );
  if (failures.length === 1) return own.error;
  const causes = failures.map(({ method, error }) => `${NAMES[method]}: ${error.message}`);
  return new HivegateError(own.error.code, causes.join(" "), { cause: failures.map(({ error }) => error) });
}
