import { z } from "zod";
import { expected, type Orchestrator, UpstreamId } from "./orchestrator.ts";

const Given = z.object({ taskId: UpstreamId });

/**
 * claude-flow 2, as 2.7.47 really behaves: it writes the task down and tells no more of it. `task_status` is but a
 * name in its list of tools, which answers with nothing but success.
 */
export const claudeFlow2Orchestrator: Orchestrator = {
  async give({ task, priority }, call, commit) {
    commit(null);
    const order = { task, priority: priority.toLowerCase(), strategy: "balanced" };
    const { taskId } = expected(Given, await call("task_orchestrate", order));
    commit(taskId);
    return { swarmId: null, how: `as ${taskId}, and will not say what becomes of it` };
  },

  status: null,
  stop: null,
};
