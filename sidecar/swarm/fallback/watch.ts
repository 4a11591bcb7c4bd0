import { type Clock, pause } from "../../../shared/clock.ts";
import { ERRORS, HivegateError } from "../../../shared/errors.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { shortened } from "../tasks-listed.ts";
import type { Told } from "./orchestrator.ts";

export type Ending = Pick<Task, "state" | "error">;

export type TaskWatchOptions = {
  /** @throws HivegateError as `Orchestrator.status`, or `Untold` */
  ask(): Promise<Told>;
  /** Hears what the server says of the result, once, if it says anything. */
  result(result: unknown): void;
  clock: Clock;
};

/** A task is asked about when a tenth of the time that it has run is over, within these. */
const SOONEST_MS = 500;
const LATEST_MS = 10_000;
/** So often in a row it answers that it cannot tell: it does not know the task any more. */
const REFUSALS = 3;
/** A server that says nothing for so long has taken with it what became of the task. */
const SILENCE_MS = 10 * 60 * 1_000;

/** Nobody can be asked about the task now; `message` says why. */
export class Untold extends Error {}

/** Follows one task that an MCP server has, by asking for it from time to time. */
export class TaskWatch {
  readonly #options: TaskWatchOptions;
  readonly #closed = new AbortController();
  #hurry = new AbortController();
  #refusals = 0;
  #toldAtMs: number;

  constructor(options: TaskWatchOptions) {
    this.#options = options;
    this.#toldAtMs = options.clock.now();
  }

  /** How the task ended, as the server says, or as `lost` when it does not. Never settles once closed. */
  async untilEnded(): Promise<Ending> {
    const { clock } = this.#options;
    const sinceMs = clock.now();
    for (;;) {
      const tenthMs = (clock.now() - sinceMs) / 10;
      await this.#pause(Math.min(LATEST_MS, Math.max(SOONEST_MS, tenthMs)));
      if (this.#closed.signal.aborted) return new Promise(() => {});
      const ending = await this.#look();
      if (ending) return ending;
    }
  }

  /** Asks at once: something should have changed. */
  hurry(): void {
    this.#hurry.abort();
  }

  close(): void {
    this.#closed.abort();
    this.#hurry.abort();
  }

  async #pause(delayMs: number): Promise<void> {
    await pause(this.#options.clock, delayMs, this.#hurry.signal);
    if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
  }

  async #look(): Promise<Ending | null> {
    const { ask, clock, result } = this.#options;
    try {
      const told = await ask();
      this.#toldAtMs = clock.now();
      this.#refusals = 0;
      if (told.state !== "running" && told.result !== null) result(told.result);
      return endOf(told);
    } catch (thrown) {
      const refusal = refusalIn(thrown);
      this.#refusals = refusal === null ? 0 : this.#refusals + 1;
      if (refusal !== null && this.#refusals >= REFUSALS) return lost(refusal);
      const silentMs = clock.now() - this.#toldAtMs;
      return silentMs < SILENCE_MS ? null : lost("The MCP server that has the task does not answer.");
    }
  }
}

/** Why nobody will ever tell how the task is, if that is what it means; null: it may be better the next time. */
function refusalIn(thrown: unknown): string | null {
  if (thrown instanceof Untold) return thrown.message;
  const isRefusal = thrown instanceof HivegateError && thrown.code === "mcp_failed";
  return isRefusal ? "The MCP server does not know the task any more." : null;
}

/** An end that nobody saw: it may be under way still. */
export const lost = (why: string): Ending => ({
  state: "lost",
  error: { code: "mcp_unavailable", message: `${why} What became of it is not known.` },
});

function endOf({ state, reason }: Told): Ending | null {
  if (state === "running") return null;
  if (state !== "failed") return { state, error: null };
  return { state, error: { code: "swarm_failed", message: shortened(reason ?? ERRORS.swarm_failed.advice) } };
}
