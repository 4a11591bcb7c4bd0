/** Agents and tasks for tests: whole, valid, and different only where a test says so. */
import { type Agent, UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import type { Task } from "../../shared/swarm/task.ts";

export const anAgent = (change: Partial<Agent> = {}): Agent => ({
  agent_id: "agent-1",
  swarm_id: "swarm-1",
  server: "demo",
  server_source: "demo",
  name: "worker 1",
  agent_type: "worker",
  status: "working",
  capabilities: [],
  current_task: null,
  progress: 0.5,
  performance: { ...UNKNOWN_PERFORMANCE, cpu_usage: 42 },
  created_at: 1,
  last_active: 2,
  ...change,
});

export const aTask = (change: Partial<Task> = {}): Task => ({
  taskId: "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10",
  task: "count primes below 1000",
  priority: "Medium",
  state: "running",
  method: "docker-exec",
  swarmId: null,
  createdAt: 1,
  startedAt: 2,
  endedAt: null,
  exitCode: null,
  error: null,
  ...change,
});
