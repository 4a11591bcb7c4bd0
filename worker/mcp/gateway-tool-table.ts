/** The gateway's own tools, by their names behind `hivegate__`. */
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { CreateTaskRequest } from "../../shared/protocol/client.ts";
import { TaskId } from "../../shared/protocol/ids.ts";
import { qualifiedName } from "../../shared/protocol/qualified-name.ts";
import { CreateTaskResult, HybridHealth, TaskAnswer } from "../../shared/protocol/sidecar.ts";
import { ToolQuery } from "../../shared/protocol/tools.ts";
import { searchTools } from "../../shared/tools/search.ts";
import { createTask } from "../create-task.ts";
import { ScopedSidecar } from "../scoped-sidecar.ts";
import { BatchAnswer, BatchRequest, runBatch, withinBatchTime } from "./batch.ts";
import {
  type GatewayTool,
  type GatewayToolCaller,
  type GatewayToolPorts,
  gatewayTool,
} from "./gateway-tool.ts";

const OneTask = z.strictObject({ taskId: TaskId.describe("As create_task told it.") });

const FoundTools = z.object({
  tools: z.array(
    z.object({
      tool: z.string().describe("By this name it is called."),
      server: z.string(),
      title: z.string().nullable(),
      description: z.string().nullable(),
      category: z.string().nullable(),
      read_only: z.boolean().nullable().describe("Whether it only reads; null: its server does not say."),
    }),
  ),
  total: z.number().int().describe("How many were found, with those that are not shown."),
});

const scoped = ({ hive, identity }: GatewayToolCaller, ports: GatewayToolPorts): ScopedSidecar =>
  new ScopedSidecar(ports.sidecar(hive), identity);

export const GATEWAY_TOOLS: Readonly<Record<string, GatewayTool>> = {
  search_tools: gatewayTool({
    needs: null,
    title: "Search tools",
    description:
      "Finds tools of all servers by words of their names and descriptions, by category and by server.",
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: z.strictObject({
      query: ToolQuery.shape.query.describe("Words, or beginnings of words; the best matches come first."),
      category: ToolQuery.shape.category.describe("Such as memory, tasks or swarm."),
      server: ToolQuery.shape.server.describe("Only tools of this server."),
      limit: z.number().int().min(1).max(LIMITS.foundTools).default(20),
    }),
    output: FoundTools,
    async run({ limit, ...query }, { hive, access }, { registry }) {
      const servers = (await registry.servers(hive)).map(({ tools, ...server }) => ({
        ...server,
        tools: tools.filter(({ name }) => access.tool(server.name, name)),
      }));
      const found = searchTools(servers, query);
      const tools = found.slice(0, limit).map(({ server, tool }) => ({
        ...{ tool: qualifiedName(server, tool.name), server, read_only: tool.readOnly },
        ...{ title: tool.title, description: tool.description, category: tool.category },
      }));
      return { tools, total: found.length };
    },
  }),

  batch: gatewayTool({
    needs: null,
    title: "Call several tools",
    description: `Calls up to ${LIMITS.batchCalls} tools, ${LIMITS.batchCallsAtOnce} at a time. One that fails does not keep the others from being called.`,
    annotations: { readOnlyHint: false, openWorldHint: true },
    input: BatchRequest,
    output: BatchAnswer,
    run: ({ calls }, { callTool, signal }) => runBatch(calls, callTool, withinBatchTime(signal)),
  }),

  create_task: gatewayTool({
    needs: "tasks:write",
    title: "Start a task",
    description: "Gives the agent swarm a task, and does not wait for its end: get_task tells how it goes.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    input: CreateTaskRequest.strict(),
    output: CreateTaskResult,
    run: (request, caller, ports) =>
      createTask(request, { ...caller, sidecar: scoped(caller, ports), uuid: ports.uuid }),
  }),

  get_task: gatewayTool({
    needs: "tasks:read",
    title: "Look at a task",
    description: "Tells the state of a task, and how it ended if it has.",
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: OneTask,
    output: TaskAnswer,
    run: async ({ taskId }, caller, ports) => ({ task: await scoped(caller, ports).task(taskId) }),
  }),

  stop_task: gatewayTool({
    needs: "tasks:write",
    title: "Stop a task",
    description: "Ends a task that is under way, and tells its state.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input: OneTask,
    output: TaskAnswer,
    run: async ({ taskId }, caller, ports) => ({ task: await scoped(caller, ports).control(taskId, "stop") }),
  }),

  hive_health: gatewayTool({
    needs: null,
    title: "Look at the hive's health",
    description: "Tells whether the swarm's container and the MCP servers can be reached.",
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: z.strictObject({}),
    output: HybridHealth,
    run: (_, { hive }, { health, now }) => health(hive, now),
  }),
};
