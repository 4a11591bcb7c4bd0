/** The gateway's HTTP interface, typed. Works wherever `fetch` does. */
import type { z } from "zod";
import { type Clock, pause, platformClock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { CreateTaskRequest } from "../protocol/client.ts";
import type { CreateTaskResult, HybridHealth, SwarmList, SwarmStatus } from "../protocol/sidecar.ts";
import type { Task, TaskEvent } from "../swarm/task.ts";
import { errorFromAnswer, GatewayUnreachable, mayRetry } from "./client-errors.ts";
import { taskEvents } from "./task-events.ts";

export type ClientOptions = {
  /** The gateway's address, http or https. */
  baseUrl: string;
  hive: string;
  token: string;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  clock?: Clock;
  /** In [0, 1). */
  random?: () => number;
};

export type NewTask = z.input<typeof CreateTaskRequest>;

/** Longer than the gateway waits for its sidecar, so that its own answer comes first. */
const TIMEOUT_MS = 40_000;
const RETRY: Backoff = { firstMs: 500, mostMs: 500 };

/** Every method throws HivegateError with what the gateway answered, or GatewayUnreachable. */
export class HivegateClient {
  readonly #base: string;
  readonly #hive: string;
  readonly #token: string;
  readonly #fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(options: ClientOptions) {
    this.#base = options.baseUrl;
    this.#hive = encodeURIComponent(options.hive);
    this.#token = options.token;
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#clock = options.clock ?? platformClock;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Starts a task. The request carries an idempotency key, one of its own if none is given, so it can be
   * sent once more when no answer came: the task starts once.
   */
  async createTask(request: NewTask): Promise<CreateTaskResult> {
    const body = { ...request, idempotencyKey: request.idempotencyKey ?? newIdempotencyKey() };
    const create = () => this.#json<CreateTaskResult>("POST", this.#path("tasks"), body);
    try {
      return await create();
    } catch (thrown) {
      if (!mayRetry(thrown)) throw thrown;
      await pause(this.#clock, backoffMs(RETRY, 0, this.#random()));
      return create();
    }
  }

  /** Newest first. */
  async tasks(): Promise<Task[]> {
    return (await this.#json<{ tasks: Task[] }>("GET", this.#path("tasks"))).tasks;
  }

  async task(taskId: string): Promise<Task> {
    return (await this.#json<{ task: Task }>("GET", this.#taskPath(taskId))).task;
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
    return this.#json("GET", this.#path("swarms"));
  }

  /** Of one swarm, or of all. */
  status(swarmId?: string): Promise<SwarmStatus> {
    const query = swarmId === undefined ? "" : `?swarmId=${encodeURIComponent(swarmId)}`;
    return this.#json("GET", this.#path("status") + query);
  }

  /** Answers for an unhealthy hive too: an error only when the gateway itself has none. */
  async health(): Promise<HybridHealth> {
    const response = await this.#send("GET", `/health/hybrid?hive=${this.#hive}`, deadline());
    const body = await bodyOf(response);
    if (response.ok || isHealth(body)) return trusted<HybridHealth>(body);
    throw errorFromAnswer(response.status, body);
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

  async #control(taskId: string, action: "stop" | "pause" | "resume"): Promise<Task> {
    return (await this.#json<{ task: Task }>("POST", `${this.#taskPath(taskId)}/${action}`)).task;
  }

  async #openEvents(taskId: string, after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send("GET", `${this.#taskPath(taskId)}/events`, signal, {
      headers: { accept: "text/event-stream", "last-event-id": String(after) },
    });
    if (!response.ok) throw errorFromAnswer(response.status, await bodyOf(response));
    if (!response.body) throw new GatewayUnreachable();
    return response.body;
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await this.#send(method, path, deadline(), {
      ...init,
      headers: { "content-type": "application/json" },
    });
    const answer = await bodyOf(response);
    if (!response.ok) throw errorFromAnswer(response.status, answer);
    return trusted<T>(answer);
  }

  async #send(
    method: string,
    path: string,
    signal: AbortSignal,
    extra: { body?: string; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const headers = { ...extra.headers, authorization: `Bearer ${this.#token}` };
    try {
      return await this.#fetch(new URL(path, this.#base).href, { ...extra, method, signal, headers });
    } catch (cause) {
      throw unanswered(cause);
    }
  }

  #path(rest: string): string {
    return `/v1/hives/${this.#hive}/${rest}`;
  }

  #taskPath(taskId: string): string {
    return this.#path(`tasks/${encodeURIComponent(taskId)}`);
  }
}

const deadline = (): AbortSignal => AbortSignal.timeout(TIMEOUT_MS);

const unanswered = (cause: unknown): Error =>
  cause instanceof DOMException && cause.name === "TimeoutError"
    ? new HivegateError("timeout", undefined, { cause })
    : new GatewayUnreachable(undefined, cause);

/** The body as JSON; null when it is none. */
async function bodyOf(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw unanswered(cause);
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The gateway's answer as what its interface promises: it was checked there, by the schemas that these types
 * come from. Something else that answers in its place is told by not being an object.
 */
function trusted<T>(answer: unknown): T {
  if (typeof answer === "object" && answer !== null) return answer as T;
  throw new GatewayUnreachable("Something else than the gateway answered. Check the address.");
}

const isHealth = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "components" in body;

/** 128 random bits. `crypto.randomUUID` is missing on pages that came over plain http. */
export const newIdempotencyKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
