import { z } from "zod";
import { SwarmId } from "../../../shared/protocol/ids.ts";
import { expected, type Orchestrator, stateOf, UpstreamId } from "./orchestrator.ts";

const Given = z.object({ taskId: UpstreamId, swarmId: SwarmId });

const Status = z.object({
  taskId: UpstreamId,
  swarmId: SwarmId,
  status: z.string(),
  error: z.string().nullish(),
  result: z.unknown().optional(),
});

/** The demo swarm: it takes our id, and starts one swarm for it however often it is asked. */
export const demoOrchestrator: Orchestrator = {
  async give({ taskId, task, priority }, call, commit) {
    commit(taskId);
    const answer = await call("task_orchestrate", { taskId, task, priority, strategy: "balanced" });
    const { swarmId } = expected(Given, answer);
    return { swarmId, how: `by swarm ${swarmId}` };
  },

  async status(taskId, call) {
    const { status, error, result } = expected(Status, await call("task_status", { taskId }));
    return { state: stateOf(status), reason: error ?? null, result: result ?? null };
  },

  async stop(taskId, call) {
    const { swarmId } = expected(Status, await call("task_status", { taskId }));
    await call("task_stop", { swarmId });
  },
};
