/** The sidecar as one client may see it: what is not in its token's scope does not exist. */
import { type Identity, may, type Scope } from "../shared/auth/permission.ts";
import { ERRORS, HivegateError } from "../shared/errors.ts";
import type {
  AgentsAnswer,
  CreateTask,
  CreateTaskResult,
  DiscoveryAnswer,
  LatestAnswer,
  McpTelemetry,
  SwarmList,
  SwarmStatus,
} from "../shared/protocol/sidecar.ts";
import type { Task } from "../shared/swarm/task.ts";
import {
  EVERYTHING,
  isWholeHive,
  sees,
  seesServer,
  seesSwarm,
  seesTask,
  topologySeen,
  type View,
} from "../shared/swarm/view.ts";
import type { EventsRequest, SidecarClient, TaskAction } from "./sidecar-client.ts";

export class ScopedSidecar {
  readonly #sidecar: SidecarClient;
  readonly #scope: Scope;
  readonly #mayReadTasks: boolean;

  constructor(sidecar: SidecarClient, client: Pick<Identity, "scope" | "permissions">) {
    this.#sidecar = sidecar;
    this.#scope = client.scope;
    this.#mayReadTasks = may(client, "tasks:read");
  }

  createTask(task: CreateTask): Promise<CreateTaskResult> {
    return this.#sidecar.createTask(task);
  }

  async tasks(): Promise<Task[]> {
    const tasks = await this.#sidecar.tasks(this.#scope.swarm_ids);
    return tasks.filter((task) => seesTask(this.#scope, task));
  }

  /** @throws HivegateError `unknown_task` */
  async task(taskId: string): Promise<Task> {
    const task = await this.#sidecar.task(taskId);
    if (!seesTask(this.#scope, task)) throw new HivegateError("unknown_task");
    return task;
  }

  /** Of a task's own words only who may read tasks is told. */
  async control(taskId: string, action: TaskAction): Promise<Task> {
    if (!isWholeHive(this.#scope)) await this.task(taskId);
    const task = await this.#sidecar.control(taskId, action);
    return this.#mayReadTasks ? task : wordless(task);
  }

  async eventStream(request: EventsRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    if (!isWholeHive(this.#scope)) await this.task(request.taskId);
    return this.#sidecar.eventStream(request, signal);
  }

  async swarms(): Promise<SwarmList> {
    return this.#within(await this.#sidecar.swarms());
  }

  async status(swarmId?: string): Promise<SwarmStatus> {
    const swarmIds = swarmId === undefined ? this.#scope.swarm_ids : [swarmId];
    const { tasks, ...rest } = await this.#sidecar.status(swarmIds);
    return { ...this.#within(rest), tasks: tasks.filter((task) => seesTask(this.#scope, task)) };
  }

  async agents(): Promise<AgentsAnswer> {
    const { docker, mcp_telemetry } = await this.#sidecar.agents();
    const seen =
      "swarms" in docker
        ? { ...docker, swarms: docker.swarms.filter(({ swarmId }) => seesSwarm(this.#scope, swarmId)) }
        : docker;
    return { docker: seen, mcp_telemetry: this.#cut(mcp_telemetry) };
  }

  async discovery(): Promise<DiscoveryAnswer> {
    const { docker, mcp } = await this.#sidecar.discovery();
    return { docker, mcp: { servers: mcp.servers.filter((server) => seesServer(this.#scope, server)) } };
  }

  async latest(): Promise<LatestAnswer> {
    const { mcp_telemetry, container } = await this.#sidecar.latest();
    return {
      mcp_telemetry: this.#cut(mcp_telemetry),
      container: isWholeHive(this.#scope) ? container : null,
    };
  }

  #cut({ mcp_status, telemetry }: McpTelemetry): McpTelemetry {
    if (!telemetry) return { mcp_status, telemetry };
    const view: View = { ...EVERYTHING, scope: this.#scope };
    return {
      mcp_status,
      telemetry: {
        agents: telemetry.agents.filter((agent) => sees(view, agent)),
        swarms: topologySeen(view, telemetry.swarms),
      },
    };
  }

  /** What a server says in its own words speaks of the whole hive: a part of it cannot be cut out. */
  #within(list: SwarmList): SwarmList {
    if (isWholeHive(this.#scope)) return list;
    const swarms = list.swarms.filter(({ swarmId }) => seesSwarm(this.#scope, swarmId));
    return { ...list, swarms, telemetry: { status: "telemetry_unavailable" } };
  }
}

const wordless = (task: Task): Task => ({
  ...task,
  task: "",
  error: task.error && { ...task.error, message: ERRORS[task.error.code].advice },
});
