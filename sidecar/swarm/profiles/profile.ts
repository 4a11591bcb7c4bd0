/** What there is to know about one kind of swarm's CLI: which argv does what, and how its output is read. */
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { Priority, TaskState } from "../../../shared/swarm/task.ts";
import type { CommandResult } from "../executor.ts";

export type SpawnRequest = { taskId: string; task: string; priority: Priority; verbose: boolean };

export interface Profile {
  readonly name: string;

  /**
   * Commands that make the swarm ready for its first task, if it needs any: `check` says whether `argv` has
   * to be run; both are arguments of the CLI. Run before the
   * first task, and again before the next one when a task has failed.
   */
  readonly prepare: {
    check: readonly string[];
    isReady(result: CommandResult): boolean;
    argv: readonly string[];
  } | null;

  /**
   * The task's text is exactly one element of the answer.
   * @throws HivegateError `not_supported` for a text that the CLI cannot take
   */
  spawn(cli: readonly string[], request: SpawnRequest): string[];

  /**
   * The swarm's id if these lines of stdout tell it. They are whole lines, each is shown once, in their order.
   * @throws when looking takes too long: then nothing more is shown
   */
  swarmId(lines: string): string | null;

  /**
   * The end state that exit code and output together tell: some CLIs exit 0 without having done anything.
   * `output` is the end of stdout. `exitCode` null: nobody saw it.
   */
  outcome(exitCode: number | null, output: string): { state: TaskState; reason: string | null };

  /** argv that lists the swarms, and how its output is read; null where the CLI has nothing of the kind. */
  readonly list: { argv(cli: readonly string[]): string[]; read(result: CommandResult): Swarm[] } | null;

  /**
   * argv for each control the CLI really has. Pause and resume: null is answered with `not_supported`, never with a
   * success. Stop: null leaves it to the end of the task's processes, which comes in any case.
   */
  readonly controls: Record<
    "stop" | "pause" | "resume",
    {
      argv(cli: readonly string[], swarmId: string): string[];
      succeeded(result: CommandResult): boolean;
    } | null
  >;
}
