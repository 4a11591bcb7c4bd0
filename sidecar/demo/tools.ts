/** The tools of the demo swarm, as MCP clients see them. */
import { z } from "zod";
import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import { SwarmId } from "../../shared/protocol/ids.ts";
import type { ToolResult } from "../../shared/protocol/mcp.ts";
import { priorityOf, TaskText } from "../../shared/swarm/task.ts";
import type { Hive } from "./hive.ts";
import type { Swarm } from "./swarm.ts";

type Data = Record<string, unknown>;

export type Tool = {
  name: string;
  description: string;
  inputSchema: Data;
  call(args: unknown): Promise<ToolResult>;
};

/** A tool whose arguments are checked first. Whatever goes wrong is a result with `isError`, not a JSON-RPC error. */
export function tool<Input extends z.ZodType>(
  name: string,
  description: string,
  input: Input,
  run: (args: z.infer<Input>) => Data | Promise<Data>,
): Tool {
  return {
    name,
    description,
    inputSchema: z.toJSONSchema(input, { io: "input" }),
    call: async (args) => {
      try {
        const parsed = input.safeParse(args ?? {});
        if (!parsed.success) throw new HivegateError("invalid_request", z.prettifyError(parsed.error));
        const data = await run(parsed.data);
        return { content: [{ type: "text", text: JSON.stringify(data) }], structuredContent: data };
      } catch (thrown) {
        const error = asHivegateError(thrown);
        if (error.code === "internal") console.error(thrown);
        return { content: [{ type: "text", text: error.message }], isError: true };
      }
    },
  };
}

const nothing = z.object({});
const TaskIdText = z.string().min(1).max(200);

const Orchestrate = z.object({
  task: TaskText,
  priority: z.string().max(20).optional().describe("High: 4 workers, Medium: 2, Low: 1"),
  strategy: z.string().max(50).optional().describe("Accepted and without effect: work is always balanced"),
  maxWorkers: z.number().int().positive().optional().describe("Fewer than the priority gives"),
  taskId: TaskIdText.optional().describe("A task id that is known answers with the swarm it has started"),
});

export function hiveTools(hive: Hive): Tool[] {
  return [
    tool("agent_list", "The agents at work, and those that ended lately", nothing, () => ({
      agents: hive.agents(),
    })),
    tool("agent_metrics", "What each agent uses and has done, measured; null where unknown", nothing, () => ({
      agents: hive.figures(),
    })),
    tool("swarm_topology", "How the swarms of these agents are put together", nothing, () => ({
      swarms: hive.topologies(),
    })),
    tool("swarm_status", "One swarm, or all", z.object({ swarmId: SwarmId.optional() }), ({ swarmId }) => {
      const swarms = swarmId === undefined ? hive.swarms() : [hive.find(swarmId)];
      return { swarms: swarms.map((swarm) => swarm.entry()) };
    }),
    tool("task_orchestrate", "Starts a swarm that does a task", Orchestrate, (order) => {
      const { taskId, swarmId, status, workerCount } = hive.orchestrate({
        ...order,
        priority: priorityOf(order.priority),
      });
      return { taskId, swarmId, status, workerCount };
    }),
    tool("task_status", "How far a task is", z.object({ taskId: TaskIdText }), ({ taskId }) =>
      taskStatus(hive.find(taskId)),
    ),
    tool("task_stop", "Ends a swarm's work", z.object({ swarmId: SwarmId }), async ({ swarmId }) => {
      const swarm = hive.find(swarmId);
      await swarm.stop();
      return { swarmId: swarm.swarmId, status: swarm.status };
    }),
    holdTool(hive, "task_pause", "Lets a swarm rest: what is begun is ended, nothing else begun", true),
    holdTool(hive, "task_resume", "Lets a paused swarm go on", false),
  ];
}

const holdTool = (hive: Hive, name: string, description: string, isHeld: boolean): Tool =>
  tool(name, description, z.object({ swarmId: SwarmId }), ({ swarmId }) => {
    const swarm = hive.find(swarmId);
    swarm.hold(isHeld);
    return { swarmId: swarm.swarmId, status: swarm.status };
  });

function taskStatus(swarm: Swarm): Data {
  return {
    ...swarm.entry(),
    unitsDone: swarm.unitsDone,
    unitsTotal: swarm.unitsTotal,
    error: swarm.error,
  };
}
