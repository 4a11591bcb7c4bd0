import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import type { Priority } from "../../../shared/swarm/task.ts";
import { type CallTool, readEntries } from "../../telemetry/profile.ts";
import { expected, type Orchestrator, stateOf, UpstreamId } from "./orchestrator.ts";

const PRIORITIES: Record<Priority, string> = { High: "high", Medium: "normal", Low: "low" };

const Agent = z.object({ agentId: UpstreamId, status: z.string() });
const Spawned = Agent.pick({ agentId: true });
const Created = z.object({ taskId: UpstreamId });
/** Of a task that it does not know, it says so in a result without this list. */
const Assigned = z.object({ taskId: UpstreamId, assignedTo: z.array(z.string()) });

const Status = z.object({
  taskId: UpstreamId,
  status: z.string().refine((status) => status !== "not_found", "the server does not know the task"),
  result: z.unknown().optional(),
});

/**
 * claude-flow 3, as 3.43.0 really behaves: a task is made, then assigned to an agent, which takes it up when
 * whoever runs the agents lets it. `task_orchestrate` does not exist. The state is whatever was last reported.
 */
export const claudeFlow3Orchestrator: Orchestrator = {
  async give({ task, priority }, call, commit) {
    const agentId = await someAgent(call);
    const order = { type: "feature", description: task, priority: PRIORITIES[priority] };
    commit(null);
    const { taskId } = expected(Created, await call("task_create", order));
    commit(taskId);
    await assign(taskId, agentId, call);
    return { swarmId: null, how: `as ${taskId}, assigned to ${agentId}, which has to report its end` };
  },

  async status(taskId, call) {
    const { status, result } = expected(Status, await call("task_status", { taskId }));
    return { state: stateOf(status), reason: null, result: result ?? null };
  },

  async stop(taskId, call) {
    await call("task_cancel", { taskId, reason: "Stopped by Hivegate" });
  },
};

/** An agent with nothing to do, else any, else a new one. */
async function someAgent(call: CallTool): Promise<string> {
  const { entries } = readEntries(await call("agent_list", {}), Agent);
  const agent = entries.find(({ status }) => status === "idle") ?? entries[0];
  return agent?.agentId ?? expected(Spawned, await call("agent_spawn", { agentType: "coder" })).agentId;
}

/** A task that nobody can be assigned to is taken back, so that it is not taken up while something else does it. */
async function assign(taskId: string, agentId: string, call: CallTool): Promise<void> {
  try {
    expected(Assigned, await call("task_assign", { taskId, agentIds: [agentId] }));
  } catch (cause) {
    await call("task_cancel", { taskId, reason: "Nobody could be assigned" }).catch((thrown: unknown) => {
      throw new HivegateError("timeout", undefined, { cause: thrown });
    });
    throw new HivegateError("mcp_failed", undefined, { cause });
  }
}
