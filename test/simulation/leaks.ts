/** Looks into frames for what their reader's permissions do not show. */
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { has, lets } from "./expected.ts";
import type { Facets } from "./swarm.ts";

type Reader = Pick<Identity, "scope" | "permissions">;

const Telemetry = z.object({
  payload: z.object({
    agents: z.array(
      z.object({
        agent_id: z.string(),
        server_source: z.string().optional(),
        agent_type: z.string().optional(),
        swarm_id: z.string().nullable().optional(),
      }),
    ),
    removed: z.array(z.string()).default([]),
    tasks: z.array(z.object({ taskId: z.string(), swarmId: z.string().nullable() })).default([]),
    servers: z
      .array(z.object({ server: z.string(), server_source: z.string(), agents: z.number().nullable() }))
      .default([]),
    topology_changes: z
      .array(z.object({ swarm_id: z.string(), server_source: z.string(), agents: z.number().nullable() }))
      .default([]),
  }),
});

/** What should not be in this frame; null: nothing. `everWas` holds every kind of agent that an id stood for. */
export function leakIn(
  text: string,
  { scope, permissions }: Reader,
  everWas: ReadonlyMap<string, Facets[]>,
): string | null {
  const isPart = scope.server_types || scope.agent_types || scope.swarm_ids;
  const seesTasks = permissions.includes("tasks:read");
  if (!isPart && seesTasks) return null;
  if (!/^{"type":"(snapshot|agent_update)"/.test(text)) return null;
  const { agents, removed, tasks, servers, topology_changes } = Telemetry.parse(JSON.parse(text)).payload;
  const wasEver = (id: string) => everWas.get(id)?.some((facets) => lets(scope, facets)) ?? false;
  for (const { agent_id, server_source, agent_type, swarm_id } of agents) {
    const isWhole = server_source !== undefined && agent_type !== undefined && swarm_id !== undefined;
    const isSeen = isWhole ? lets(scope, { server_source, agent_type, swarm_id }) : wasEver(agent_id);
    if (!isSeen) return `agent ${agent_id}`;
  }
  const stranger = removed.find((id) => !wasEver(id));
  if (stranger !== undefined) return `agent ${stranger}, removed`;
  const task = tasks.find(({ swarmId }) => !seesTasks || !has(scope.swarm_ids, swarmId));
  if (task) return `task ${task.taskId}`;
  // How many agents there are in all tells of those that are out of scope.
  const server = servers.find(
    ({ server_source, agents: count }) =>
      !has(scope.server_types, server_source) || (isPart && count !== null),
  );
  if (server) return `server ${server.server}`;
  const swarm = topology_changes.find(
    ({ swarm_id, server_source, agents: count }) =>
      !has(scope.swarm_ids, swarm_id) ||
      !has(scope.server_types, server_source) ||
      (isPart && count !== null),
  );
  return swarm ? `swarm ${swarm.swarm_id}` : null;
}
