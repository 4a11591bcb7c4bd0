/**
 * Decides how many of the clients are on the newer path: as somebody says, or a schedule; and none from the moment on at which
 * it is slower, fails more, or says something else than the older one. What was decided survives a restart.
 */
import type { Clock } from "../../../shared/clock.ts";
import { type Judgement, judge, worstOf } from "../../../shared/config/judge.ts";
import {
  advance,
  backOut,
  effectivePercent,
  NO_ROLLOUT,
  type RolloutState,
  setPercent,
  startSchedule,
} from "../../../shared/config/rollout.ts";
import { HivegateError } from "../../../shared/errors.ts";
import type { RolloutChange } from "../../../shared/protocol/rollout.ts";
import type { Alerts } from "../../alerts.ts";
import type { Logger } from "../../log.ts";
import type { RolloutMemory } from "./memory.ts";
import type { PathSamples } from "./path-samples.ts";
import type { Trouble } from "./two-paths.ts";

export type Mode = "safe" | "full" | "rollback";

export type ControllerPorts = {
  mode: Mode;
  /** Whether what goes wrong is backed out by itself; else it is only told. */
  automatic: boolean;
  memory: Pick<RolloutMemory, "rollout" | "keepRollout">;
  samples: PathSamples;
  /** Makes both databases say the same. */
  pair(): Promise<void>;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
  log: Pick<Logger, "info" | "warn">;
};

const LOOK_MS = 1_000;

export class RolloutController {
  readonly #ports: ControllerPorts;
  #state: RolloutState;
  #cancelLook: (() => void) | null = null;
  #isChanging = false;
  /** Something was found and not backed out: no schedule goes on before somebody has seen to it. */
  #isDoubted = false;

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
    const { mode, memory, clock } = ports;
    const fresh = mode === "full" ? setPercent(100, clock.now()) : NO_ROLLOUT;
    this.#state = memory.rollout(mode) ?? fresh;
    this.#keep(this.#state);
  }

  get state(): RolloutState {
    return this.#state;
  }

  get percent(): RolloutState["percent"] {
    return effectivePercent(this.#state);
  }

  /**
   * Both databases are made the same first. `by`: who it was.
   * @throws HivegateError `not_supported` where the mode leaves no choice, `overloaded` when the older database is away
   */
  async change(change: RolloutChange, by: string): Promise<void> {
    const { mode, clock, log, samples } = this.#ports;
    if ("back_out" in change) {
      if (this.percent === 0) throw new HivegateError("not_supported", "Nobody is on the newer path.");
      log.info({ by }, "the rollout is backed out");
      this.#keep(backOut(this.#state, `asked for by ${by}`, clock.now()));
      return;
    }
    const refusal = refusalOf(mode, change);
    if (refusal !== null) throw new HivegateError("not_supported", refusal);
    if (this.#isChanging)
      throw new HivegateError("overloaded", "The rollout is being changed. Try again in a moment.");
    this.#isChanging = true;
    const before = this.#state;
    await this.#ports.pair().finally(() => {
      this.#isChanging = false;
    });
    if (this.#state !== before)
      throw new HivegateError("overloaded", "The rollout was changed meanwhile. Look at it, and try again.");
    samples.clear();
    this.#isDoubted = false;
    const nowMs = clock.now();
    this.#keep(
      "percent" in change ? setPercent(change.percent, nowMs) : startSchedule(change.schedule, nowMs),
    );
    log.info({ by, percent: this.percent }, "the rollout was set");
  }

  /** Something is wrong for certain: no comparison of times is needed. */
  found({ kind, what }: Trouble): void {
    if (this.percent > 0) this.#backOut(what, { kind });
    else
      this.#ports.alerts.raise({
        kind: "rollout_in_doubt",
        message: `Nobody reads the newer system's configurations, and nobody should: ${what}.`,
        details: { kind },
      });
  }

  /** Each operation's reads, judged as of now. */
  judgements(): [operation: string, judgement: Judgement][] {
    const nowMs = this.#ports.clock.now();
    return this.#ports.samples
      .all(nowMs)
      .map(([operation, both]): [string, Judgement] => [operation, judge(both)]);
  }

  close(): void {
    this.#cancelLook?.();
    this.#cancelLook = null;
  }

  #look(): void {
    const judgements = this.judgements();
    const verdict = worstOf(judgements.map(([, judgement]) => judgement.verdict));
    for (const [operation, { verdict, ratio }] of judgements) {
      if (verdict === "slower") this.#backOut(`${operation} is more than 20 % slower`, { ratio });
      if (verdict === "more_errors") this.#backOut(`${operation} fails more often`, {});
    }
    const next = advance(this.#state, verdict === "fine" && !this.#isDoubted, this.#ports.clock.now());
    if (next === this.#state) return;
    this.#ports.samples.clear();
    this.#keep(next);
    this.#ports.log.info({ percent: next.percent }, "the rollout goes on");
  }

  #backOut(reason: string, details: Readonly<Record<string, unknown>>): void {
    const { automatic, alerts, clock } = this.#ports;
    if (this.percent === 0) return;
    const before = this.percent;
    if (automatic) this.#keep(backOut(this.#state, reason, clock.now()));
    else this.#isDoubted = true;
    alerts.raise({
      kind: automatic ? "rollout_backed_out" : "rollout_in_doubt",
      message: automatic
        ? `All clients read the older system's configurations again: ${reason}.`
        : `Clients should read the older system's configurations again, but MCP_ENABLE_AUTO_ROLLBACK is off: ${reason}.`,
      details: { percent: before, ...details },
    });
  }

  #keep(state: RolloutState): void {
    const { mode, memory, clock, log } = this.#ports;
    this.#state = state;
    try {
      memory.keepRollout(mode, state);
    } catch (err) {
      // It holds all the same: that the database fails may be why it was decided.
      log.warn({ err }, "what was decided of the rollout could not be kept over a restart");
    }
    this.close();
    if (this.percent === 0) return;
    const look = () => {
      this.#cancelLook = clock.after(LOOK_MS, look);
      this.#look();
    };
    this.#cancelLook = clock.after(LOOK_MS, look);
  }
}

function refusalOf(mode: Mode, change: Exclude<RolloutChange, { back_out: true }>): string | null {
  if (mode === "rollback")
    return "Everybody reads the older system: set MCP_MIGRATION_MODE=safe (and not MCP_USE_NEW_SYSTEM=false) for a rollout.";
  if (mode === "full" && !("percent" in change && change.percent === 100))
    return "With MCP_MIGRATION_MODE=full everybody reads the newer system, so only 100 % can be set: set it to safe for a gradual rollout.";
  return null;
}
