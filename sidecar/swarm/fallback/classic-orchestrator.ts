import { z } from "zod";
import type { CallTool } from "../../telemetry/profile.ts";
import type { SpawnRequest } from "../profiles/profile.ts";
import { expected, type Orchestrator, stateOf, UpstreamId } from "./orchestrator.ts";

const Given = z.object({ taskId: UpstreamId });

const Status = z.object({
  id: UpstreamId,
  status: z.string(),
  result: z.unknown().optional(),
  error: z.string().nullish(),
});

async function give(
  { task, priority }: SpawnRequest,
  call: CallTool,
  commit: (id: string | null) => void,
): ReturnType<Orchestrator["give"]> {
  const order = { task, priority: priority.toLowerCase(), strategy: "balanced" };
  commit(null);
  const { taskId } = expected(Given, await call("task_orchestrate", order));
  commit(taskId);
  return { swarmId: null, how: `as ${taskId}` };
}

/** ruv-swarm: its agents take the task up by themselves. It has no tool that stops one. */
export const ruvSwarmOrchestrator: Orchestrator = {
  give,
  async status(taskId, call) {
    const { status, error, result } = expected(Status, await call("task_status", { taskId }));
    return { state: stateOf(status), reason: error ?? null, result: result ?? null };
  },
  stop: null,
};

/** claude-flow 2 writes the task down and tells no more of it: its `task_status` is only a name in a list. */
export const claudeFlow2Orchestrator: Orchestrator = { give, status: null, stop: null };
