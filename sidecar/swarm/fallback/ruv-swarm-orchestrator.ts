import { z } from "zod";
import { type CallTool, ifTold, readEntries } from "../../telemetry/profile.ts";
import { expected, type Orchestrator, stateOf, UpstreamId } from "./orchestrator.ts";

const Agent = z.object({ id: UpstreamId });
const Swarms = z.object({ active_swarms: z.number() });
const Given = z.object({ taskId: UpstreamId });
const Status = z.object({ id: UpstreamId, status: z.string() });

/**
 * ruv-swarm, as 1.0.20 really behaves: it refuses the strategy `balanced`, and every task while it has no agent. Its
 * agents take a task up by themselves. It has no tool that stops one.
 */
export const ruvSwarmOrchestrator: Orchestrator = {
  async give({ task, priority }, call, commit) {
    await haveAgents(call);
    commit(null);
    const order = { task, priority: priority.toLowerCase(), strategy: "adaptive" };
    const { taskId } = expected(Given, await call("task_orchestrate", order));
    commit(taskId);
    return { swarmId: null, how: `as ${taskId}` };
  },

  async status(taskId, call) {
    const { status } = expected(Status, await call("task_status", { taskId }));
    return { state: stateOf(status), reason: null, result: null };
  },

  stop: null,
};

async function haveAgents(call: CallTool): Promise<void> {
  if (readEntries(await call("agent_list", {}), Agent).entries.length > 0) return;
  // Before it has had its first swarm, it stumbles over the question.
  const swarms = Swarms.safeParse(await ifTold(call("swarm_status", {}))).data?.active_swarms ?? 0;
  if (swarms === 0) await call("swarm_init", { topology: "mesh" });
  await call("agent_spawn", { type: "coder" });
}
