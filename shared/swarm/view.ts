/**
 * What one kind of reader sees of a hive: its permissions cut first, then its filters. Projecting what was
 * missed and projecting the whole picture agree: a reader that applies the one to what it held before has the
 * other.
 */
import type { Scope } from "../auth/permission.ts";
import type { Filters } from "../protocol/client.ts";
import type { Departure, ServerState, SwarmTopology, TelemetryChange } from "../protocol/sidecar.ts";
import type { Agent, AgentPatch, SeenAgent } from "./agent.ts";
import { FACETS, IS_NEW, pickFields, seenFields } from "./fields.ts";
import type { Missed, Picture } from "./picture.ts";
import type { Task } from "./task.ts";

export type View = { scope: Scope; filters: Filters; seesTasks: boolean };

export const EVERYTHING: View = {
  scope: {},
  filters: { include_performance: true, include_neural: true, include_topology: true },
  seesTasks: true,
};

type Facets = Pick<Agent, "server_source" | "agent_type" | "swarm_id">;

/** Whether an agent of this kind is seen. An absent list lets everything through. */
export const sees = ({ scope, filters }: View, agent: Facets): boolean =>
  admits(scope, agent) && admits(filters, agent);

/** Whether a task is seen by those who may see tasks at all. One that has no swarm yet is nobody's. */
export const seesTask = (scope: Scope, task: Pick<Task, "swarmId">): boolean =>
  holds(scope.swarm_ids, task.swarmId);

/** Whether nothing is left out. */
export const isWholeHive = (scope: Scope): boolean =>
  scope.server_types === undefined && scope.agent_types === undefined && scope.swarm_ids === undefined;

export const seesServer = (scope: Scope, { server_source }: Pick<Agent, "server_source">): boolean =>
  holds(scope.server_types, server_source);

export const seesSwarm = (scope: Scope, swarmId: string): boolean => holds(scope.swarm_ids, swarmId);

/** Equal views have equal keys, whatever the order of their lists. */
export function viewKey({ scope, filters, seesTasks }: View): string {
  const sorted = (list: string[] | undefined) => (list ? [...new Set(list)].sort() : null);
  const lists = ({ server_types, agent_types, swarm_ids }: Scope) =>
    [server_types, agent_types, swarm_ids].map(sorted);
  const { include_performance, include_neural, include_topology } = filters;
  return JSON.stringify([
    lists(scope),
    lists(filters),
    [include_performance, include_neural, include_topology, seesTasks],
  ]);
}

/** A short name for a view: equal views have equal names, and different ones as good as never. */
export function viewName(view: View): string {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const character of viewKey(view)) {
    const code = character.codePointAt(0) ?? 0;
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) + (a >>> 15);
  }
  return [a, b].map((half) => (half >>> 0).toString(36)).join("-");
}

/** The whole picture as this view shows it. */
export function seenOf(
  picture: Picture,
  view: View,
): Omit<TelemetryChange, "agents" | "removed"> & { agents: SeenAgent[] } {
  return {
    agents: [...picture.agents.values()]
      .filter((agent) => sees(view, agent))
      .map((agent) => asSeen(view, agent)),
    ...tasksSeen([...picture.tasks.values()], view),
    ...partsSeen(picture, { servers: true, swarms: true, container: true }, view),
  };
}

/** An agent as this view shows it, if it does. */
export function wholeAgent(picture: Picture, view: View, agentId: string): SeenAgent | undefined {
  const agent = picture.agents.get(agentId);
  return agent && sees(view, agent) ? asSeen(view, agent) : undefined;
}

function asSeen({ filters }: View, agent: Agent): SeenAgent {
  const { performance, neural_info, ...base } = agent;
  return {
    ...base,
    ...(filters.include_performance && { performance }),
    ...(filters.include_neural && { neural_info }),
  };
}

/** What was missed, as this view shows it. Null: nothing that it shows. */
export function seenOfMissed(missed: Missed, picture: Picture, view: View): TelemetryChange | null {
  const agents = patchesSeen(missed, view);
  const removed = removalsSeen(missed.departures, picture, view);
  const change = {
    ...(agents.length > 0 && { agents }),
    ...(removed.length > 0 && { removed }),
    ...tasksSeen(missed.tasks, view),
    ...partsSeen(picture, missed, view),
  };
  return Object.keys(change).length > 0 ? change : null;
}

function patchesSeen(missed: Missed, view: View): AgentPatch[] {
  const visible = seenFields(view.filters);
  const patches: AgentPatch[] = [];
  for (const { agent, fields } of missed.agents) {
    // Whoever saw it before still does, or does not for the first time: other facets may have hidden it.
    const mayBeNews = (fields & (IS_NEW | FACETS)) !== 0;
    const shown = mayBeNews ? visible : fields & visible;
    if (shown !== 0 && sees(view, agent)) patches.push(pickFields(agent, shown));
  }
  return patches;
}

/** Agents that were seen as they used to be and are not seen as they are. */
function removalsSeen(departures: readonly Departure[], picture: Picture, view: View): string[] {
  const removed = new Set<string>();
  for (const departure of departures) {
    const agent = picture.agents.get(departure.agent_id);
    if (sees(view, departure) && !(agent && sees(view, agent))) removed.add(departure.agent_id);
  }
  return [...removed];
}

function tasksSeen(tasks: readonly Task[], { scope, seesTasks }: View): Pick<TelemetryChange, "tasks"> {
  const seen = seesTasks ? tasks.filter((task) => seesTask(scope, task)) : [];
  return seen.length > 0 ? { tasks: seen } : {};
}

function partsSeen(
  { servers, swarms, container }: Picture,
  changed: Pick<Missed, "servers" | "swarms" | "container">,
  view: View,
): Pick<TelemetryChange, "servers" | "swarms" | "container"> {
  const { scope, filters } = view;
  return {
    ...(changed.servers && { servers: serversSeen(scope, servers) }),
    ...(changed.swarms && filters.include_topology && { swarms: topologySeen(view, swarms) }),
    // It tells what the whole hive uses.
    ...(changed.container && filters.include_performance && isWholeHive(scope) && { container }),
  };
}

/** How many agents there are in all is nothing for somebody who may see a part of them. */
const serversSeen = (scope: Scope, servers: readonly ServerState[]): ServerState[] =>
  servers
    .filter((server) => seesServer(scope, server))
    .map((server) => (isWholeHive(scope) ? server : { ...server, agents: null }));

export const topologySeen = (view: View, swarms: readonly SwarmTopology[]): SwarmTopology[] =>
  swarms
    .filter((swarm) => seesTopology(view, swarm))
    .map((swarm) => (isWholeHive(view.scope) ? swarm : { ...swarm, coordinator: null, agents: null }));

const seesTopology = ({ scope, filters }: View, { server_source, swarm_id }: SwarmTopology): boolean =>
  [scope, filters].every(
    ({ server_types, swarm_ids }) => holds(server_types, server_source) && holds(swarm_ids, swarm_id),
  );

const admits = ({ server_types, agent_types, swarm_ids }: Scope, agent: Facets): boolean =>
  holds(server_types, agent.server_source) &&
  holds(agent_types, agent.agent_type) &&
  holds(swarm_ids, agent.swarm_id);

const holds = (list: string[] | undefined, value: string | null): boolean =>
  list === undefined || (value !== null && list.includes(value));
