import type { Answer } from "./session/dispatch.ts";
import { type LookUpActions, REQUESTS } from "./session/requests.ts";

type Query = (name: string) => string | undefined;

const { request_agents, request_discovery, request_topology, request_performance } = REQUESTS;

/** What sessions ask of the swarm's host, by its path over HTTP: answered by the same frames. */
export const LOOK_UPS: Record<string, (query: Query, actions: LookUpActions) => Promise<Answer>> = {
  agents: (_, actions) => request_agents.run({ type: "request_agents" }, actions),
  discovery: (_, actions) => request_discovery.run({ type: "request_discovery" }, actions),
  topology: (query, actions) =>
    request_topology.run({ type: "request_topology", swarm_id: query("swarm_id") }, actions),
  performance: (_, actions) => request_performance.run({ type: "request_performance" }, actions),
};
