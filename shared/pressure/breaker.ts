import { z } from "zod";
import { Timestamp } from "../protocol/ids.ts";
import type { Circuit } from "../protocol/sidecar.ts";
import { backoffMs } from "./backoff.ts";
import { OutcomeWindow, tally, totals } from "./outcome-window.ts";

/**
 * A circuit breaker, as a pure state machine. Each call asks `admit` for a permit, and gives it back to `report`
 * with what came of it. Nothing happens between calls: an open breaker lets the first call after its wait
 * through as a probe. (`Guard` in guarded.ts does this for calls that are promises.)
 *
 * All counts are at least 1.
 */
export type BreakerRules = {
  /** So many failures in a row open it. */
  failuresInARow: number;
  /** So does a failure that brings the share of failures to this, of at least `leastOutcomes` in `windowMs`. */
  failureRate: number;
  leastOutcomes: number;
  windowMs: number;
  /** How long it stays open: `firstMs`, doubling with each failed probe up to `mostMs`, with jitter. */
  firstMs: number;
  mostMs: number;
  /** Probes in flight at once. One that fails opens it again; so many successes close it. */
  probes: number;
  successesToClose: number;
  /** A probe that has not reported by then has failed. Longer than any call may take. */
  probeTimeoutMs: number;
};

export const BREAKER_RULES: BreakerRules = {
  failuresInARow: 5,
  failureRate: 0.4,
  leastOutcomes: 5,
  windowMs: 30_000,
  firstMs: 1_000,
  mostMs: 60_000,
  probes: 1,
  successesToClose: 2,
  probeTimeoutMs: 60_000,
};

/** After this many the wait is `mostMs`, whatever the rules. */
const MOST_DOUBLINGS = 30;

const count = z.number().int().nonnegative();
const doublings = count.max(MOST_DOUBLINGS);

const common = {
  sinceMs: Timestamp,
  /** No permit's number is ever given twice, but all calls of one closed spell share theirs: this one. */
  lastPermit: count,
  /** Those in flight, also when the state has changed since: the dependency still has them to bear. */
  probes: z.array(z.object({ permit: count, untilMs: Timestamp })),
};
const Closed = z.object({
  phase: z.literal("closed"),
  failuresInARow: count,
  window: OutcomeWindow,
  ...common,
});
const Open = z.object({ phase: z.literal("open"), retryAtMs: Timestamp, doublings, ...common });
const HalfOpen = z.object({
  phase: z.literal("half_open"),
  successes: count,
  doublings,
  /** Probes with permits up to this are from before: their outcome no longer counts. */
  permitsBefore: count,
  ...common,
});

/** Plain JSON of bounded size, to be stored and given to `restore`. */
export const BreakerState = z.discriminatedUnion("phase", [Closed, Open, HalfOpen]);
export type BreakerState = z.infer<typeof BreakerState>;
type Closed = z.infer<typeof Closed>;
type Open = z.infer<typeof Open>;
type HalfOpen = z.infer<typeof HalfOpen>;

export type Permit = { readonly number: number };
/** `none`: the call says nothing about the dependency, as when it was called off before it was sent. */
export type Outcome = "success" | "failure" | "none";
type Counting = Exclude<Outcome, "none">;
/** `nowMs` is whole milliseconds since the epoch, `random` in [0, 1). */
export type Now = { nowMs: number; random: number };

export const closed = (nowMs: number): BreakerState => afresh(nowMs, 0);

/**
 * A state that was stored, for a new process: calls of the old one will not report. What cannot be read counts
 * as closed. Half-open is open and due, so that its probes are made anew.
 */
export function restore(saved: unknown, rules: BreakerRules, nowMs: number): BreakerState {
  const read = BreakerState.safeParse(saved);
  if (!read.success) return closed(nowMs);
  const state = read.data;
  const sinceMs = Math.min(state.sinceMs, nowMs);
  if (state.phase === "closed") return closed(sinceMs);
  const retryAtMs = state.phase === "open" ? within(state.retryAtMs, rules.mostMs, nowMs) : nowMs;
  return { phase: "open", sinceMs, retryAtMs, doublings: state.doublings, lastPermit: 0, probes: [] };
}

/** Whether a call may be made: then it has a permit, which has to be given back to `report`. */
export function admit(
  state: BreakerState,
  rules: BreakerRules,
  now: Now,
): { state: BreakerState; permit: Permit | null } {
  const current = aged(state, rules, now);
  if (current.phase === "closed") return { state: current, permit: { number: current.lastPermit } };
  const isDue = current.phase === "half_open" || current.retryAtMs <= now.nowMs;
  if (!isDue || current.probes.length >= rules.probes) return { state: current, permit: null };

  const permit = current.lastPermit + 1;
  const probe = { permit, untilMs: now.nowMs + rules.probeTimeoutMs };
  const halfOpen = current.phase === "open" ? halfOpened(current, now.nowMs) : current;
  return {
    state: { ...halfOpen, lastPermit: permit, probes: [...current.probes, probe] },
    permit: { number: permit },
  };
}

/** What came of a call. What was admitted before the breaker last opened or closed no longer counts. */
export function report(
  state: BreakerState,
  permit: Permit,
  outcome: Outcome,
  rules: BreakerRules,
  now: Now,
): BreakerState {
  const before = aged(state, rules, now);
  const probes = before.probes.filter((probe) => probe.permit !== permit.number);
  const wasProbe = probes.length < before.probes.length;
  const current = wasProbe ? { ...before, probes } : before;

  if (outcome === "none") return current;
  if (current.phase === "closed" && permit.number === current.lastPermit) {
    return counted(current, outcome, rules, now);
  }
  if (current.phase === "half_open" && wasProbe && permit.number > current.permitsBefore) {
    return probed(current, outcome, rules, now);
  }
  return current;
}

/** Milliseconds until an open breaker lets its next probe through; 0 when it does already, or is not open. */
export function retryInMs(state: BreakerState, rules: BreakerRules, nowMs: number): number {
  return state.phase === "open" ? Math.max(0, within(state.retryAtMs, rules.mostMs, nowMs) - nowMs) : 0;
}

/** What clients see of it. */
export function circuitOf(state: BreakerState): Circuit {
  const retryAtMs = state.phase === "open" ? state.retryAtMs : null;
  return { state: state.phase, since: state.sinceMs, retry_at: retryAtMs };
}

/** What time alone does to a state: probes that are late go, and fail it if they count. */
function aged(state: BreakerState, rules: BreakerRules, now: Now): BreakerState {
  if (state.phase === "closed" && state.probes.length === 0) return state;
  const all = state.probes.map(({ permit, untilMs }) => ({
    permit,
    untilMs: within(untilMs, rules.probeTimeoutMs, now.nowMs),
  }));
  const isLate = (probe: { untilMs: number }) => probe.untilMs <= now.nowMs;
  const probes = all.filter((probe) => !isLate(probe));
  if (state.phase === "open") {
    return { ...state, probes, retryAtMs: within(state.retryAtMs, rules.mostMs, now.nowMs) };
  }
  if (state.phase === "half_open" && all.some((one) => isLate(one) && one.permit > state.permitsBefore)) {
    return opened({ ...state, probes }, rules, now);
  }
  return { ...state, probes };
}

/** A deadline is never further away than its rule says: else a clock set back would prolong it. */
const within = (untilMs: number, mostMs: number, nowMs: number) => Math.min(untilMs, nowMs + mostMs);

function counted(state: Closed, outcome: Counting, rules: BreakerRules, now: Now): BreakerState {
  const window = tally(state.window, outcome, rules.windowMs, now.nowMs);
  if (outcome === "success") return { ...state, window, failuresInARow: 0 };
  const failuresInARow = state.failuresInARow + 1;
  const { outcomes, failures } = totals(window);
  const isOften = outcomes >= rules.leastOutcomes && failures / outcomes >= rules.failureRate;
  return isOften || failuresInARow >= rules.failuresInARow
    ? opened(state, rules, now)
    : { ...state, window, failuresInARow };
}

function probed(state: HalfOpen, outcome: Counting, rules: BreakerRules, now: Now): BreakerState {
  if (outcome === "failure") return opened(state, rules, now);
  const successes = state.successes + 1;
  if (successes < rules.successesToClose) return { ...state, successes };
  return { ...afresh(now.nowMs, state.lastPermit + 1), probes: state.probes };
}

function opened(from: Closed | HalfOpen, rules: BreakerRules, { nowMs, random }: Now): Open {
  const doublings = from.phase === "closed" ? 0 : Math.min(from.doublings + 1, MOST_DOUBLINGS);
  const retryAtMs = nowMs + backoffMs(rules, doublings, random);
  const { lastPermit, probes } = from;
  return { phase: "open", sinceMs: nowMs, retryAtMs, doublings, lastPermit, probes };
}

function halfOpened({ doublings, lastPermit, probes }: Open, nowMs: number): HalfOpen {
  const permitsBefore = lastPermit;
  return { phase: "half_open", sinceMs: nowMs, successes: 0, doublings, permitsBefore, lastPermit, probes };
}

function afresh(nowMs: number, lastPermit: number): Closed {
  return { phase: "closed", sinceMs: nowMs, failuresInARow: 0, window: [], lastPermit, probes: [] };
}
