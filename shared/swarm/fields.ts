/**
 * The fields of an agent as bits of a mask: which of them changed, which a session may see, which to send.
 * An agent's id is in none: it is always there.
 */
import type { Agent, AgentPatch, AgentPerformance, SeenAgent } from "./agent.ts";

const FIELDS = [
  "server_source",
  "agent_type",
  "swarm_id",
  "server",
  "name",
  "status",
  "capabilities",
  "current_task",
  "progress",
  "created_at",
  "last_active",
  "neural_info",
] as const satisfies (keyof Agent)[];
type Field = (typeof FIELDS)[number];
const FIGURES = [
  "cpu_usage",
  "memory_usage",
  "health_score",
  "activity_level",
  "tasks_active",
  "tasks_completed",
  "tasks_failed",
  "success_rate",
  "token_usage",
  "token_rate",
  "response_time_ms",
  "throughput",
] as const satisfies (keyof AgentPerformance)[];

/** Each name with its bit. */
const FIELD_BITS = FIELDS.map((name, index) => ({ name, bit: 1 << index }));
const FIGURE_BITS = FIGURES.map((name, index) => ({ name, bit: 1 << (FIELDS.length + index) }));

const bits = (from: number, count: number): number => (2 ** count - 1) << from;

/** What filters and permissions look at: a change here may make an agent appear or go. */
export const FACETS = bits(0, 3);
const NEURAL = 1 << (FIELDS.length - 1);
const BASE = bits(0, FIELDS.length) & ~NEURAL;
const PERFORMANCE = bits(FIELDS.length, FIGURES.length);
export const ALL_FIELDS = BASE | NEURAL | PERFORMANCE;
/** The agent was not there before. Not a field. */
export const IS_NEW = 1 << (FIELDS.length + FIGURES.length);

/** What a session may see of an agent that it sees. */
export const seenFields = (asked: { include_performance: boolean; include_neural: boolean }): number =>
  BASE | (asked.include_neural ? NEURAL : 0) | (asked.include_performance ? PERFORMANCE : 0);

/** Which fields differ. */
export function changedFields(before: Agent, after: Agent): number {
  let mask = 0;
  for (const { name, bit } of FIELD_BITS) if (!isSame(before[name], after[name])) mask |= bit;
  for (const { name, bit } of FIGURE_BITS)
    if (before.performance[name] !== after.performance[name]) mask |= bit;
  return mask;
}

/** Which fields a patch sets. */
export function patchedFields(patch: AgentPatch): number {
  let mask = 0;
  for (const { name, bit } of FIELD_BITS) if (patch[name] !== undefined) mask |= bit;
  const { performance } = patch;
  if (!performance) return mask;
  for (const { name, bit } of FIGURE_BITS) if (performance[name] !== undefined) mask |= bit;
  return mask;
}

/** The fields of `mask` as they are in `agent`. */
export function pickFields(agent: Agent, mask: number): AgentPatch {
  const patch: AgentPatch = { agent_id: agent.agent_id };
  const copy = <Name extends Field>(field: Name) => {
    patch[field] = agent[field];
  };
  for (const { name, bit } of FIELD_BITS) if (mask & bit) copy(name);
  if (mask & PERFORMANCE) patch.performance = pickFigures(agent.performance, mask);
  return patch;
}

/** `agent` with what the patch sets. */
export const patched = (agent: Agent, patch: AgentPatch): Agent => patchedAsSeen(agent, patch);

/** What was seen of an agent, with what the patch sets. */
export function patchedAsSeen<Seen extends SeenAgent>(agent: Seen, patch: AgentPatch): Seen {
  const after = { ...agent };
  const set: SeenAgent = after;
  const given: { [Name in Field]?: Agent[Name] | undefined } = patch;
  const copy = <Name extends Field>(field: Name) => {
    const value = given[field];
    if (value !== undefined) set[field] = value;
  };
  for (const field of FIELDS) copy(field);
  if (agent.performance && patch.performance)
    set.performance = patchedFigures(agent.performance, patch.performance);
  return after;
}

function patchedFigures(
  before: AgentPerformance,
  patch: NonNullable<AgentPatch["performance"]>,
): AgentPerformance {
  const after = { ...before };
  for (const figure of FIGURES) {
    const value = patch[figure];
    if (value !== undefined) after[figure] = value;
  }
  return after;
}

/** Whether the patch says everything about an agent. */
export const isWhole = (patch: AgentPatch): patch is Agent => patchedFields(patch) === ALL_FIELDS;

/** Whether the patch says all that anybody sees of an agent: figures and the like may be missing. */
export const isWholeAsSeen = (patch: AgentPatch): patch is SeenAgent =>
  (patchedFields(patch) & BASE) === BASE;

function pickFigures(figures: AgentPerformance, mask: number): NonNullable<AgentPatch["performance"]> {
  const picked: NonNullable<AgentPatch["performance"]> = {};
  for (const { name, bit } of FIGURE_BITS) if (mask & bit) picked[name] = figures[name];
  return picked;
}

/** Fields hold figures, words, and small lists and objects of words. */
const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
