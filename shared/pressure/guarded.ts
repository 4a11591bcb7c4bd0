import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import type { Circuit } from "../protocol/sidecar.ts";
import {
  admit,
  type BreakerRules,
  type BreakerState,
  circuitOf,
  type Outcome,
  type Permit,
  report,
  restore,
  retryInMs,
} from "./breaker.ts";

export type GuardOptions = {
  rules: BreakerRules;
  clock: Pick<Clock, "now">;
  /** In [0, 1). */
  random: () => number;
  /** What `changed` was last given before a restart; null, or what cannot be read, starts closed. */
  saved: unknown;
  /** Hears each change between closed, open and half-open, to store it and tell clients. Must not throw. */
  changed: (state: BreakerState) => void;
};

/** The circuit breaker around one dependency: all calls to it go through `run`. */
export class Guard {
  readonly #options: GuardOptions;
  #state: BreakerState;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#state = restore(options.saved, options.rules, options.clock.now());
  }

  get circuit(): Circuit {
    return circuitOf(this.#state);
  }

  /** Milliseconds until an open circuit lets a probe through; 0 when a call is worth trying. */
  get retryInMs(): number {
    return retryInMs(this.#state, this.#options.rules, this.#options.clock.now());
  }

  /**
   * What `call` gives or throws. `isFailure` says of what it throws whether the dependency failed (true), or
   * answered all the same (false: it counts as a success), or was not asked at all (null: it counts as neither).
   * @throws HivegateError `circuit_open` when the call is not made
   */
  async run<T>(call: () => Promise<T>, isFailure: (error: unknown) => boolean | null): Promise<T> {
    const permit = this.#admitted();
    let outcome: Outcome = "failure";
    try {
      const result = await call();
      outcome = "success";
      return result;
    } catch (error) {
      const failed = isFailure(error);
      outcome = failed === null ? "none" : failed ? "failure" : "success";
      throw error;
    } finally {
      this.#become(report(this.#state, permit, outcome, this.#options.rules, this.#now()));
    }
  }

  #admitted(): Permit {
    const { state, permit } = admit(this.#state, this.#options.rules, this.#now());
    this.#become(state);
    if (!permit) throw new HivegateError("circuit_open");
    return permit;
  }

  #become(state: BreakerState): void {
    const isNews = state.phase !== this.#state.phase;
    this.#state = state;
    if (isNews) this.#options.changed(state);
  }

  #now() {
    return { nowMs: this.#options.clock.now(), random: this.#options.random() };
  }
}
