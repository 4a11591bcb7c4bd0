/**
 * Whether a patch is, at a glance, what `AgentPatch` lets through. The schema looks for every field that there
 * might be; this looks at those that there are, which are few, and takes a tenth of the time. Whatever it does
 * not know at a glance is left to the schema, which decides.
 */
import type { AgentPatch } from "./agent.ts";

type Fits = (value: unknown) => boolean;

const isText: Fits = (value) => typeof value === "string";
const isTextOrNull: Fits = (value) => value === null || typeof value === "string";
const isFigure: Fits = (value) => value === null || Number.isFinite(value);
const isMoment: Fits = (value) =>
  value === null || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0);

const FIGURES = new Map<string, Fits>(
  [
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
  ].map((name) => [name, isFigure]),
);

const FIELDS = new Map<string, Fits>([
  ["agent_id", (value) => typeof value === "string" && value.length > 0 && value.length <= 200],
  ["swarm_id", isTextOrNull],
  ["server", isText],
  ["server_source", isText],
  ["name", isTextOrNull],
  ["agent_type", isText],
  ["status", isText],
  ["current_task", isTextOrNull],
  ["progress", isFigure],
  ["performance", (value) => isRecord(value) && fits(FIGURES, value)],
  ["created_at", isMoment],
  ["last_active", isMoment],
]);

export const isPlainPatch = (value: unknown): value is AgentPatch =>
  isRecord(value) && "agent_id" in value && fits(FIELDS, value);

function fits(known: ReadonlyMap<string, Fits>, given: Record<string, unknown>): boolean {
  for (const name in given) if (!known.get(name)?.(given[name])) return false;
  return true;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
