/** The gateway's HTTP interface, typed. Works wherever `fetch` does. */
import { type Clock, platformClock } from "../clock.ts";
import type { CreateTaskResult, HybridHealth, SwarmList, SwarmStatus } from "../protocol/sidecar.ts";
import type { Task, TaskEvent } from "../swarm/task.ts";
import { auditLines } from "./audit-lines.ts";
import { createOnce, type NewTask } from "./create-task.ts";
import { type Fetch, GatewayHttp } from "./http.ts";
import { RestConfigs } from "./rest-configs.ts";
import { callTool } from "./rest-tools.ts";
import type { ToolResult } from "./streamed-calls.ts";
import { taskEvents } from "./task-events.ts";
import type { CallToolOptions } from "./tools.ts";

export type ClientOptions = {
  /** The gateway's address, http or https. */
  baseUrl: string;
  hive: string;
  token: string;
  fetch?: Fetch;
  clock?: Clock;
  /** In [0, 1). */
  random?: () => number;
};

/** Every method throws HivegateError with what the gateway answered, or GatewayUnreachable. */
export class HivegateClient {
  /** Which MCP servers there are. */
  readonly configs: RestConfigs;
  readonly #http: GatewayHttp;
  readonly #hive: string;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(options: ClientOptions) {
    const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#http = new GatewayHttp(options.baseUrl, options.token, send);
    this.#hive = encodeURIComponent(options.hive);
    this.configs = new RestConfigs(this.#http, options.hive);
    this.#clock = options.clock ?? platformClock;
    this.#random = options.random ?? Math.random;
  }

  /** Starts a task, or has it wait for its turn: once, also when the answer is lost on its way (`createOnce`). */
  createTask(request: NewTask): Promise<CreateTaskResult> {
    const ports = { clock: this.#clock, random: this.#random };
    return createOnce(
      request,
      (body) => this.#http.json<CreateTaskResult>("POST", this.#path("tasks"), { body }),
      ports,
    );
  }

  /** Newest first. */
  async tasks(): Promise<Task[]> {
    return (await this.#http.json<{ tasks: Task[] }>("GET", this.#path("tasks"))).tasks;
  }

  async task(taskId: string): Promise<Task> {
    return (await this.#http.json<{ task: Task }>("GET", this.#taskPath(taskId))).task;
  }

  stop(taskId: string): Promise<Task> {
    return this.#control(taskId, "stop");
  }

  pause(taskId: string): Promise<Task> {
    return this.#control(taskId, "pause");
  }

  resume(taskId: string): Promise<Task> {
    return this.#control(taskId, "resume");
  }

  swarms(): Promise<SwarmList> {
    return this.#http.json("GET", this.#path("swarms"));
  }

  /** Of one swarm, or of all. */
  status(swarmId?: string): Promise<SwarmStatus> {
    const query = swarmId === undefined ? "" : `?swarmId=${encodeURIComponent(swarmId)}`;
    return this.#http.json("GET", this.#path("status") + query);
  }

  /** Answers for an unhealthy hive too: an error only when the gateway itself has none. */
  health(): Promise<HybridHealth> {
    return this.#http.json("GET", `/health/hybrid?hive=${this.#hive}`, { isAnswer: isHealth });
  }

  /** The audit log, as the lines of its export. */
  auditLines(): AsyncGenerator<string, void, void> {
    return auditLines((query) => {
      const headers = { accept: "application/x-ndjson" };
      return this.#http.stream(this.#path("audit") + query, headers, AbortSignal.timeout(AUDIT_PAGE_MS));
    });
  }

  /**
   * Every event of a task after number `after`, once and in order, until the task has ended or `signal` is
   * aborted. Reads on by itself when the connection breaks; `retrying` is told of it.
   */
  events(
    taskId: string,
    options: { after?: number; signal?: AbortSignal; retrying?: (error: unknown) => void } = {},
  ): AsyncGenerator<TaskEvent, void, void> {
    const ports = {
      open: (after: number, signal: AbortSignal) => this.#openEvents(taskId, after, signal),
      task: () => this.task(taskId),
      retrying: options.retrying ?? (() => {}),
      clock: this.#clock,
      random: this.#random,
    };
    return taskEvents(ports, options.after ?? 0, options.signal);
  }

  /**
   * Calls a tool by its server's name and its own, such as `claude-flow__agent_list`, and resolves with its result. With
   * `stream` it tells what the tool does, and goes on across broken connections.
   * @throws ToolFailed what its server said; the reason of `signal`
   */
  callTool(tool: string, args: Record<string, unknown>, options: CallToolOptions = {}): Promise<ToolResult> {
    const ports = { http: this.#http, path: this.#path("tools"), clock: this.#clock, random: this.#random };
    return callTool(ports, tool, args, options);
  }

  async #control(taskId: string, action: "stop" | "pause" | "resume"): Promise<Task> {
    return (await this.#http.json<{ task: Task }>("POST", `${this.#taskPath(taskId)}/${action}`)).task;
  }

  #openEvents(taskId: string, after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = { accept: "text/event-stream", "last-event-id": String(after) };
    return this.#http.stream(`${this.#taskPath(taskId)}/events`, headers, signal);
  }

  #path(rest: string): string {
    return `/v1/hives/${this.#hive}/${rest}`;
  }

  #taskPath(taskId: string): string {
    return this.#path(`tasks/${encodeURIComponent(taskId)}`);
  }
}

const AUDIT_PAGE_MS = 60_000;

const isHealth = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "components" in body;
