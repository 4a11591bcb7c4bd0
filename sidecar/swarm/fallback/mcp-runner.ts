import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import type { Swarm, SwarmTopology } from "../../../shared/protocol/sidecar.ts";
import type { Logger } from "../../log.ts";
import type { CallTool } from "../../telemetry/profile.ts";
import type { Exit, OutputSink, Recovery } from "../executor.ts";
import type { SpawnRequest } from "../profiles/profile.ts";
import { type McpHandle, readHandle, writeHandle } from "./handle.ts";
import { isNotGiven, type Told } from "./orchestrator.ts";
import type { Given, RunCallbacks, TaskRunner } from "./task-runner.ts";
import { firstOf, type Upstream } from "./upstreams.ts";
import { type Ending, lost, TaskWatch, Untold } from "./watch.ts";

export type McpRunnerOptions = {
  /** Those that there are now. */
  upstreams(): readonly Upstream[];
  clock: Clock;
  log: Logger;
};

/** A result is shown as far as this; the whole of it stays with the server. */
const RESULT_CHARS = 4_000;

/**
 * Tasks by MCP servers. A task is given once: that it will be is written down before the server hears of it, and
 * when the answer is lost the task is looked for, or called lost, but never given anew.
 */
export class McpRunner implements TaskRunner {
  readonly method = "mcp-fallback";
  readonly #options: McpRunnerOptions;
  /** Tasks that servers have, as far as they can be asked about. */
  readonly #watched = new Map<string, { handle: McpHandle & { id: string }; watch: TaskWatch }>();
  #turn = 0;

  constructor(options: McpRunnerOptions) {
    this.#options = options;
  }

  /** Whether there is a server now that can be given tasks at all. */
  get takesTasks(): boolean {
    return this.#options.upstreams().length > 0;
  }

  /** Whether a server has this task. */
  has(taskId: string): boolean {
    return this.#watched.has(taskId);
  }

  async start(request: SpawnRequest, callbacks: RunCallbacks): Promise<{ exit: Promise<Exit> }> {
    // What `#give` throws is that nothing was given, so that another server may have it.
    const { given, handle } = await this.#first((upstream) =>
      this.#give(upstream, request, callbacks.rememberDurably),
    );
    callbacks.given(given);
    return { exit: this.#exitOf(request.taskId, handle, callbacks.output) };
  }

  canStart(): Promise<boolean> {
    return this.#first(async () => true).catch(() => false);
  }

  /** A task that is not one of the servers' was never started here. */
  async recover(...[spec, { output, given }]: Parameters<TaskRunner["recover"]>): Promise<Recovery> {
    const handle = readHandle(spec.handle);
    if (!handle) return { status: "never_started" };
    given({ note: noteOf(`${handle.server} was given it before the sidecar ended`), swarmId: null });
    return { status: "running", lostOutput: false, exit: this.#exitOf(spec.taskId, handle, output) };
  }

  async stop(taskId: string): Promise<void> {
    const task = this.#watched.get(taskId);
    if (!task) return;
    const { handle, watch } = task;
    const upstream = this.#upstream(handle.server);
    if (!upstream) throw new HivegateError("mcp_unavailable", NOT_CONFIGURED);
    const { stop } = upstream.orchestrator;
    if (!stop) throw new HivegateError("not_supported", "The MCP server that has this task cannot stop it.");
    // It may also refuse because the task has just ended.
    await stop(handle.id, upstream.call).finally(() => watch.hurry());
  }

  swarms(): Promise<Swarm[]> {
    return this.#first(swarmsOf);
  }

  /** Asks about this task no more; the server goes on. */
  letGo(taskId: string): void {
    this.#watched.get(taskId)?.watch.close();
    this.#watched.delete(taskId);
  }

  #first<T>(work: (upstream: Upstream) => Promise<T>): Promise<T> {
    return firstOf(this.#options.upstreams(), this.#turn++, work);
  }

  #upstream(server: string): Upstream | undefined {
    return this.#options.upstreams().find(({ name }) => name === server);
  }

  async #give(
    { name, orchestrator, call }: Upstream,
    request: SpawnRequest,
    remember: RunCallbacks["rememberDurably"],
  ): Promise<{ given: Given; handle: McpHandle }> {
    let handle: McpHandle | null = null;
    const commit = (id: string | null) => {
      const next = { server: name, id };
      remember(writeHandle(next));
      handle = next;
    };
    try {
      const { swarmId, how } = await orchestrator.give(request, call, commit);
      if (!handle) throw new Error("a task was given without having been written down");
      return { given: { swarmId, note: noteOf(`${name} has it, ${how}`) }, handle };
    } catch (thrown) {
      if (!handle || isNotGiven(thrown)) throw thrown;
      this.#options.log.warn(
        { err: thrown, server: name },
        "no answer to a task that says what it is called there",
      );
      return {
        given: { swarmId: null, note: noteOf(`${name} was given it and did not answer with an id`) },
        handle,
      };
    }
  }

  async #exitOf(taskId: string, { server, id }: McpHandle, output: OutputSink): Promise<Exit> {
    const upstream = this.#upstream(server);
    if (!upstream?.orchestrator.status || id === null) return endedAs(lost(whyLost(upstream, id)));
    const watch = new TaskWatch({
      ask: () => this.#told(server, id),
      result: (result) => output("stdout", `${shown(result)}\n`),
      clock: this.#options.clock,
    });
    this.#watched.set(taskId, { handle: { server, id }, watch });
    const ending = await watch.untilEnded();
    this.#watched.delete(taskId);
    return endedAs(ending);
  }

  /** As the server of this name tells now: it may have been replaced, or be taken away and come back. */
  async #told(server: string, id: string): Promise<Told> {
    const upstream = this.#upstream(server);
    const status = upstream?.orchestrator.status;
    if (!upstream || !status) throw new Untold(whyLost(upstream, id));
    return status(id, upstream.call);
  }
}

const NOT_CONFIGURED = "The MCP server that the task was given to is no longer configured.";

const noteOf = (what: string): string => `Not run by the swarm's commands: MCP server ${what}.`;

function whyLost(upstream: Upstream | undefined, id: string | null): string {
  if (!upstream) return NOT_CONFIGURED;
  if (id === null) return "The MCP server that the task was given to did not answer with an id.";
  return "The MCP server takes tasks, but does not tell how they are.";
}

function shown(result: unknown): string {
  const text = JSON.stringify(result);
  return text.length <= RESULT_CHARS ? text : `${text.slice(0, RESULT_CHARS).toWellFormed()}…`;
}

const endedAs = (end: Ending): Exit => ({ exitCode: null, end });

async function swarmsOf({ profile, pool, call }: Upstream): Promise<Swarm[]> {
  let refusal: unknown = null;
  const noted: CallTool = (tool, args) =>
    call(tool, args).catch((thrown: unknown) => {
      refusal = thrown;
      throw thrown;
    });
  const { swarms } = await profile.read(pool, noted);
  // For the picture what a server does not tell is just missing; here it would read as if there were no swarm.
  if (swarms.length === 0 && refusal !== null) throw refusal;
  return swarms.map(asSwarm);
}

const asSwarm = (swarm: SwarmTopology): Swarm => ({
  swarmId: swarm.swarm_id,
  status: swarm.status ?? "unknown",
  topology: swarm.topology,
  workerCount: null,
  taskId: null,
  detail: swarm,
});
