import type { Filters } from "../protocol/client.ts";
import type { SeenAgent } from "../protocol/gateway.ts";
import type { Agent } from "./agent.ts";

/** Whether a session with these filters sees this agent. An absent list lets everything through. */
export function sees(filters: Filters, agent: Agent): boolean {
  return (
    holds(filters.server_types, agent.server_source) &&
    holds(filters.agent_types, agent.agent_type) &&
    holds(filters.swarm_ids, agent.swarm_id)
  );
}

/** The agent as this session sees it: figures only for those who asked. */
export function asSeen(filters: Filters, agent: Agent): SeenAgent {
  if (filters.include_performance) return agent;
  const { performance: _, ...rest } = agent;
  return rest;
}

/** Equal filters have equal keys, whatever the order of their lists. */
export function filterKey(filters: Filters): string {
  const sorted = (list: string[] | undefined) => (list ? [...new Set(list)].sort() : null);
  return JSON.stringify([
    sorted(filters.server_types),
    sorted(filters.agent_types),
    sorted(filters.swarm_ids),
    filters.include_performance,
    filters.include_neural,
    filters.include_topology,
  ]);
}

const holds = (list: string[] | undefined, value: string | null): boolean =>
  list === undefined || (value !== null && list.includes(value));
