import { type AgentEntry, type AgentFigures, type AgentStatus, taskCounters } from "./agent.ts";

export type SwarmStatus = "active" | "paused" | "completed" | "failed" | "stopped";

export const goesOn = (status: SwarmStatus): boolean => status === "active" || status === "paused";

/** The agent that shares a swarm's work out and puts the values together: her state is the swarm's. */
export type Queen = Pick<AgentEntry, "swarmId" | "progress" | "createdAt" | "lastActive"> & {
  status: SwarmStatus;
  /** The text to show. */
  task: string;
};

const STATUS: Record<SwarmStatus, AgentStatus> = {
  active: "working",
  paused: "paused",
  completed: "done",
  failed: "failed",
  stopped: "stopped",
};

export const queenEntry = ({
  swarmId,
  status,
  progress,
  createdAt,
  lastActive,
  task,
}: Queen): AgentEntry => ({
  agentId: queenId(swarmId),
  swarmId,
  name: "Queen",
  type: "queen",
  status: STATUS[status],
  currentTask: goesOn(status) ? task : null,
  progress,
  createdAt,
  lastActive,
});

/** The queen shares the daemon's main thread with everything else, so what she uses cannot be told. */
export const queenFigures = ({ swarmId, status }: Queen): AgentFigures => ({
  agentId: queenId(swarmId),
  cpuPercent: null,
  memoryBytes: null,
  unitsDone: 0,
  unitsPerSecond: null,
  ...taskCounters(STATUS[status]),
});

export const queenId = (swarmId: string): string => `${swarmId}-queen`;
