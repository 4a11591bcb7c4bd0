import { expect } from "vitest";
import {
  admit,
  BREAKER_RULES,
  type BreakerRules,
  type BreakerState,
  circuitOf,
  type Outcome,
  type Permit,
  report,
  restore,
  retryInMs,
} from "../../../shared/pressure/breaker.ts";

export const T0 = 1_700_000_000_000;

/** A breaker with a clock that is set by hand. With `random` 1 a wait is exactly what the rule says. */
export class Bench {
  readonly rules: BreakerRules;
  nowMs = T0;
  random = 1;
  state: BreakerState;

  constructor(rules: Partial<BreakerRules> = {}, saved: unknown = null) {
    this.rules = { ...BREAKER_RULES, ...rules };
    this.state = restore(saved, this.rules, this.nowMs);
  }

  get retryInMs(): number {
    return retryInMs(this.state, this.rules, this.nowMs);
  }

  /** As after the end of a process that had stored its state. */
  restart(afterMs: number): void {
    this.nowMs += afterMs;
    this.state = restore(JSON.parse(JSON.stringify(this.state)), this.rules, this.nowMs);
  }

  admit(): Permit | null {
    const { state, permit } = admit(this.state, this.rules, this);
    this.state = state;
    return permit;
  }

  admitted(): Permit {
    const permit = this.admit();
    if (!permit) throw new Error("not admitted");
    return permit;
  }

  report(permit: Permit, outcome: Outcome): void {
    this.state = report(this.state, permit, outcome, this.rules, this);
  }

  /** One call after the other: `+` succeeds, `-` fails, `0` says nothing, `x` is not admitted. Gives the state. */
  calls(outcomes: string): string {
    for (const sign of outcomes) {
      if (sign === "x") expect(this.admit()).toBeNull();
      else this.report(this.admitted(), sign === "+" ? "success" : sign === "-" ? "failure" : "none");
    }
    return circuitOf(this.state).state;
  }

  /** Open, with `afterMs` gone since. */
  opened(afterMs = 0): this {
    expect(this.calls("-----")).toBe("open");
    this.nowMs += afterMs;
    return this;
  }
}
