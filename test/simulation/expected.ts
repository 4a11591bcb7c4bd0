/**
 * What a viewer has to hold, worked out anew from the sidecar's picture: on purpose with none of the code that
 * the gateway and the client use for it.
 */
import { isDeepStrictEqual } from "node:util";
import type { Scope } from "../../shared/auth/permission.ts";
import type { TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";
import type { Viewer } from "./viewer.ts";

/** The first thing that differs, in words; null: nothing does. */
export function firstDifference(truth: TelemetrySnapshot, viewer: Viewer): string | null {
  const { picture, state } = viewer.stream;
  const { filters, identity } = viewer;
  const { scope } = identity;
  if (state.name !== "open") return `${viewer.name} is ${state.name}`;
  if (!picture.live) return `${viewer.name} holds a stale picture`;
  if (picture.epoch !== truth.epoch) return `${viewer.name} is at epoch ${picture.epoch}, not ${truth.epoch}`;
  const agents = truth.agents
    .filter((agent) => lets(scope, agent) && lets(filters, agent))
    .map(({ performance, neural_info, ...agent }) => ({
      ...agent,
      ...(filters.include_performance && { performance }),
      ...(filters.include_neural && { neural_info }),
    }));
  const isWhole = !scope.server_types && !scope.agent_types && !scope.swarm_ids;
  const servers = truth.servers
    .filter((server) => has(scope.server_types, server.server_source))
    .map((server) => (isWhole ? server : { ...server, agents: null }));
  const topology = truth.swarms
    .filter((swarm) =>
      [scope, filters].every(
        ({ server_types, swarm_ids }) =>
          has(server_types, swarm.server_source) && has(swarm_ids, swarm.swarm_id),
      ),
    )
    .map((swarm) => (isWhole ? swarm : { ...swarm, coordinator: null, agents: null }));
  const container = isWhole && filters.include_performance ? truth.container : null;
  return (
    differ(`${viewer.name}: agent`, byId(agents), byId(picture.agents.values())) ??
    differ(`${viewer.name}: server`, keyed(servers), keyed(picture.servers)) ??
    differ(`${viewer.name}: swarm`, keyed(filters.include_topology ? topology : []), keyed(picture.swarms)) ??
    differ(`${viewer.name}: container`, keyed([container]), keyed([picture.container])) ??
    tasksDiffer(truth, viewer)
  );
}

const TASKS_KEPT = 100;

/** A scoped viewer keeps the last tasks that it saw, so it may have more of them than the sidecar tells of. */
function tasksDiffer({ tasks }: TelemetrySnapshot, { name, identity, stream }: Viewer): string | null {
  const { scope, permissions } = identity;
  const seesTasks = permissions.includes("tasks:read");
  const expected = tasks.filter((task) => seesTasks && has(scope.swarm_ids, task.swarmId));
  const held = [...stream.picture.tasks.values()];
  const known = new Set(tasks.map(({ taskId }) => taskId));
  const compared = scope.swarm_ids ? held.filter(({ taskId }) => known.has(taskId)) : held;
  if (held.length > TASKS_KEPT) return `${name} holds ${held.length} tasks`;
  const byTask = (list: typeof tasks) => new Map(list.map((task) => [task.taskId, task]));
  return differ(`${name}: task`, byTask(expected), byTask(compared));
}

function differ(what: string, expected: Map<string, unknown>, held: Map<string, unknown>): string | null {
  for (const id of new Set([...expected.keys(), ...held.keys()])) {
    const [right, shown] = [expected.get(id), held.get(id)];
    if (!isDeepStrictEqual(right, shown))
      return `${what} ${id} is ${JSON.stringify(shown)}, should be ${JSON.stringify(right)}`;
  }
  return null;
}

type Facets = { server_source: string; agent_type: string; swarm_id: string | null };

const byId = <T extends { agent_id: string }>(agents: Iterable<T>) =>
  new Map([...agents].map((agent) => [agent.agent_id, agent]));

/** In their order. */
const keyed = (values: readonly unknown[]) => new Map(values.map((value, i) => [`${i}`, value]));

/** Whether a list, if there is one, names it. */
export const has = (list: readonly string[] | undefined, name: string | null): boolean =>
  !list || (name !== null && list.includes(name));

export const lets = ({ server_types, agent_types, swarm_ids }: Scope, agent: Facets): boolean =>
  has(server_types, agent.server_source) &&
  has(agent_types, agent.agent_type) &&
  has(swarm_ids, agent.swarm_id);
