/** Who has a task done: the swarm's own commands, or an MCP server in their place. */
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { TaskMethod } from "../../../shared/swarm/task.ts";
import type { Exit, OutputSink, RecoverSpec, Recovery } from "../executor.ts";
import type { SpawnRequest } from "../profiles/profile.ts";

/** What a server that has a task says of it at once. `note` tells people who does the task, and where. */
export type Given = { note: string; swarmId: string | null };

export type RunCallbacks = {
  output: OutputSink;
  /** As `Executor.start`: called synchronously, before anything can come of what is done next. */
  remember(handle: string): void;
  /** The same, for what goes on elsewhere when this host loses its power. */
  rememberDurably(handle: string): void;
  /** Called when an MCP server has the task, or may have it, before `start` resolves. */
  given(what: Given): void;
};

export interface TaskRunner {
  readonly method: TaskMethod;

  /**
   * Has a task done; resolves when it is under way, or may be.
   * @throws HivegateError; then nothing was started
   */
  start(request: SpawnRequest, callbacks: RunCallbacks): Promise<{ exit: Promise<Exit> }>;

  /** As `Executor.canStart`. */
  canStart(): Promise<boolean>;

  /** As `Executor.recover`; `given` as for `start`. */
  recover(spec: RecoverSpec, callbacks: Pick<RunCallbacks, "output" | "given">): Promise<Recovery>;

  /** As `Executor.stop`. @throws HivegateError `not_supported` where there is no way to stop a task */
  stop(taskId: string, options: { graceMs: number }): Promise<void>;

  /** @throws HivegateError `not_supported`, or why they cannot be told */
  swarms(): Promise<Swarm[]>;
}
