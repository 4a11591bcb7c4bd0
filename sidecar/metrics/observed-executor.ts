import { timed } from "../../shared/metrics/timed.ts";
import type { CommandResult, Executor } from "../swarm/executor.ts";

export type CommandKind = "run" | "start" | "recover" | "stop";
export type ObserveCommand = (kind: CommandKind, outcome: string, durationMs: number) => void;

/** The same executor; `observe` hears of every command. A look at its health is none. */
export function observedExecutor(executor: Executor, observe: ObserveCommand): Executor {
  const time = <T>(
    kind: CommandKind,
    call: () => Promise<T>,
    outcomeOf?: (result: T) => string,
  ): Promise<T> =>
    timed(call, (outcome, durationMs) => observe(kind, outcome, durationMs), {
      now: () => performance.now(),
      outcomeOf,
    });
  return {
    method: executor.method,
    run: (argv, options) => time("run", () => executor.run(argv, options), outcomeOfRun),
    start: (spec, callbacks) => time("start", () => executor.start(spec, callbacks)),
    recover: (spec, output) => time("recover", () => executor.recover(spec, output)),
    stop: (taskId, options) => time("stop", () => executor.stop(taskId, options)),
    health: () => executor.health(),
    canStart: () => executor.canStart(),
    close: () => executor.close(),
  };
}

/** A command that said no was run all the same: that is the swarm's failure, not Docker's. */
const outcomeOfRun = ({ ended, exitCode }: CommandResult): string =>
  ended ?? (exitCode === 0 ? "ok" : "nonzero_exit");
