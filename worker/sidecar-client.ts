/** The sidecar, as the worker calls it: signed requests, checked answers, errors of the one vocabulary. */
import { z } from "zod";
import { type MacKey, type Sha256, type SignatureHeaders, signRequest } from "../shared/auth/signature.ts";
import type { Clock } from "../shared/clock.ts";
import { ERROR_CODES, HivegateError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { type Observe, timed } from "../shared/metrics/timed.ts";
import {
  AgentsAnswer,
  type CreateTask,
  CreateTaskResult,
  DiscoveryAnswer,
  HybridHealth,
  LatestAnswer,
  type OnlyEvents,
  type Position,
  SwarmList,
  SwarmStatus,
  TaskAnswer,
  TaskList,
  TelemetryLine,
} from "../shared/protocol/sidecar.ts";
import {
  REGISTRY_HEADER,
  RegistryAnswer,
  type StartToolStream,
  ToolChunk,
  ToolStream,
} from "../shared/protocol/tools.ts";
import { OrchestratorsAnswer, type OrchestratorsChange } from "../shared/relay/orchestrators.ts";
import { type Task, TaskEvent } from "../shared/swarm/task.ts";
import { LineSplitter, readLines } from "../shared/wire/lines.ts";
import { EventParser } from "../shared/wire/sse.ts";
import { OlderHealth } from "./configs/older-health.ts";
import type { RegistryQuestion } from "./mcp/registry-view.ts";
import { clientNameOf } from "./task-id.ts";
import { Watchdog } from "./watchdog.ts";

export type TaskAction = "stop" | "pause" | "resume";

/** A task's events after number `after`, all or those of one kind, and who reads them. */
export type EventsRequest = { taskId: string; after: number; only: OnlyEvents | null; subject: string };

/** Who reads, how often news are wanted (null: not at all), and where reading stopped before. */
export type TelemetryRequest = { reader: string; intervalMs: number | null; position: Position | null };
export type TelemetryText = { line: TelemetryLine; text: string };

/** What a client says to an MCP server, to be passed on. `server` null: to all of them as one. */
export type McpForward = {
  method: "POST" | "GET" | "DELETE";
  server: string | null;
  /** Whose: see `clientNameOf`. */
  client: string;
  /** Where equal calls may be answered together. */
  join?: string | null;
  /** Those of `MCP_HEADERS`. */
  headers: Record<string, string>;
  body: Uint8Array;
};

/** Which streamed call is read, whose it is, and after which of its chunks. */
export type ToolEventsRequest = { client: string; streamId: string; after: number };

/** What a client asks of `/api/v1/mcp`, to be passed on as it is. */
export type ConfigForward = {
  method: string;
  path: string;
  query: string;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
  /** Whether errors are answers too: those in the older system's words. */
  anyStatus: boolean;
};

export type SidecarPorts = {
  hive: string;
  url: string;
  key: MacKey;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  sha256: Sha256;
  clock: Clock;
  nonce: () => string;
  /** Hears how each request went, up to the head of the answer. */
  observe?: Observe;
  /** Hears under which version of the registry of tools an answer was given. */
  heardRegistry?(version: string): void;
};

type Request = [
  method: string,
  path: string,
  signal: AbortSignal,
  extra: {
    /** Bytes are sent as they are. */
    body?: unknown;
    headers?: Record<string, string> | undefined;
    /** Which answers are handed back, if not those that succeeded. */
    accepts?: (response: Response) => boolean;
  },
];

const RemoteError = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  retry_after: z.number().nonnegative().optional(),
});
const NO_BODY = new Uint8Array();

const queryOf = (swarmIds: readonly string[] = []): string =>
  swarmIds.length === 0
    ? ""
    : `?${new URLSearchParams(swarmIds.map((id): [string, string] => ["swarmId", id]))}`;

export class SidecarClient {
  readonly #ports: SidecarPorts;

  constructor(ports: SidecarPorts) {
    this.#ports = ports;
  }

  /** The same, and `observe` hears how each request went. */
  observed(observe: Observe): SidecarClient {
    return new SidecarClient({ ...this.#ports, observe });
  }

  createTask(task: CreateTask): Promise<CreateTaskResult> {
    return this.#json("POST", "/v1/tasks", CreateTaskResult, { body: task });
  }

  /** The tasks of these swarms, or all. */
  async tasks(swarmIds?: readonly string[]): Promise<Task[]> {
    return (await this.#json("GET", `/v1/tasks${queryOf(swarmIds)}`, TaskList)).tasks;
  }

  async task(taskId: string): Promise<Task> {
    return (await this.#json("GET", `/v1/tasks/${taskId}`, TaskAnswer)).task;
  }

  async control(taskId: string, action: TaskAction): Promise<Task> {
    return (await this.#json("POST", `/v1/tasks/${taskId}/${action}`, TaskAnswer)).task;
  }

  swarms(): Promise<SwarmList> {
    return this.#json("GET", "/v1/swarms", SwarmList);
  }

  /** These swarms and their tasks, or all. */
  status(swarmIds?: readonly string[]): Promise<SwarmStatus> {
    return this.#json("GET", `/v1/status${queryOf(swarmIds)}`, SwarmStatus);
  }

  agents(): Promise<AgentsAnswer> {
    return this.#json("GET", "/v1/agents", AgentsAnswer);
  }

  discovery(): Promise<DiscoveryAnswer> {
    return this.#json("GET", "/v1/discovery", DiscoveryAnswer, { timeoutMs: LIMITS.healthTimeoutMs });
  }

  latest(): Promise<LatestAnswer> {
    return this.#json("GET", "/v1/latest", LatestAnswer, { timeoutMs: LIMITS.healthTimeoutMs });
  }

  health(): Promise<HybridHealth> {
    return this.#json("GET", "/v1/health", HybridHealth, { timeoutMs: LIMITS.healthTimeoutMs });
  }

  orchestrators(): Promise<OrchestratorsAnswer> {
    return this.#json("GET", "/v1/relay/orchestrators", OrchestratorsAnswer);
  }

  useOrchestrators(change: OrchestratorsChange): Promise<OrchestratorsAnswer> {
    return this.#json("PUT", "/v1/relay/orchestrators", OrchestratorsAnswer, { body: change });
  }

  /**
   * The sidecar's own answer, an error of MCP's too, to be passed on as it is. What is not MCP's answer is thrown.
   * @throws HivegateError `timeout` where it does not begin within `LIMITS.mcpHeadMs`
   */
  async mcp(
    { method, server, client, join, headers, body }: McpForward,
    signal: AbortSignal,
  ): Promise<Response> {
    const query = join ? `?client=${client}&join=${join}` : `?client=${client}`;
    // No address can hold these names, and no server has one of them.
    if (server === "." || server === "..") throw new HivegateError("unknown_server");
    const path = `/v1/mcp${server === null ? "" : `/${encodeURIComponent(server)}`}${query}`;
    const late = new AbortController();
    const cancelTimer = this.#ports.clock.after(LIMITS.mcpHeadMs, () =>
      late.abort(new DOMException("the answer does not begin", "TimeoutError")),
    );
    const response = await this.#request(method, path, AbortSignal.any([signal, late.signal]), {
      ...{ body, headers },
      accepts: ({ headers: answered }) => answered.has(REGISTRY_HEADER),
    }).finally(cancelTimer);
    this.#ports.heardRegistry?.(response.headers.get(REGISTRY_HEADER) ?? "");
    return response;
  }

  /** The sidecar's own answer about the configuration of MCP servers. */
  configApi({ method, path, query, headers, body, anyStatus }: ConfigForward): Promise<Response> {
    const signal = AbortSignal.timeout(LIMITS.sidecarTimeoutMs);
    return this.#request(method, `${path}?${query}`, signal, {
      ...{ body, headers },
      // A refused signature is no answer: who it was is the gateway's business.
      accepts: ({ ok, status }) => ok || status === 304 || (anyStatus && status !== 401),
    });
  }

  /** The MCP servers' health as the older system told it. */
  olderHealth(): Promise<OlderHealth> {
    return this.#json("GET", "/api/v1/mcp/health", OlderHealth, { timeoutMs: LIMITS.healthTimeoutMs });
  }

  /** What tools there are; null: still those of the version that is `known`. */
  async registry({ known, waitFor, timeoutMs }: RegistryQuestion): Promise<RegistryAnswer | null> {
    const signal = AbortSignal.timeout(timeoutMs);
    const query = waitFor === null ? "" : `?${new URLSearchParams({ waitFor })}`;
    const response = await this.#request("GET", `/v1/registry${query}`, signal, {
      ...(known !== null && { headers: { "if-none-match": `"${known}"` } }),
      accepts: ({ ok, status }) => ok || status === 304,
    });
    return response.status === 304 ? null : RegistryAnswer.parse(await response.json());
  }

  /** The events that are wanted, as the sidecar's own event stream, to be passed on as it is. */
  async eventStream(
    { taskId, after, only, subject }: EventsRequest,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const client = await clientNameOf(this.#ports.hive, subject);
    const query = new URLSearchParams({ client, ...(only !== null && { only }) });
    return this.#stream(`/v1/tasks/${taskId}/events?${query}`, signal, { "last-event-id": String(after) });
  }

  /** The same, event by event. Ends with the task. */
  async *events(request: EventsRequest, signal: AbortSignal): AsyncGenerator<TaskEvent, void, void> {
    const parser = new EventParser();
    const open = (watched: AbortSignal) => this.eventStream(request, watched);
    for await (const line of this.#lines(open, { keepEmpty: true }, signal)) {
      const event = parser.push(line);
      if (event) yield TaskEvent.parse(JSON.parse(event.data));
    }
  }

  /** Begins a streamed call of this client's, or finds the one that it began under the same key. */
  startToolStream(client: string, call: StartToolStream): Promise<ToolStream> {
    return this.#json("POST", `/v1/tool-streams?client=${client}`, ToolStream, { body: call });
  }

  toolStream(client: string, streamId: string): Promise<ToolStream> {
    return this.#json("GET", `/v1/tool-streams/${streamId}?client=${client}`, ToolStream);
  }

  cancelToolStream(client: string, streamId: string): Promise<ToolStream> {
    return this.#json("DELETE", `/v1/tool-streams/${streamId}?client=${client}`, ToolStream);
  }

  /** What a streamed call tells after chunk number `after`, as the sidecar's own event stream. */
  toolEvents({ client, streamId, after }: ToolEventsRequest, signal: AbortSignal) {
    const path = `/v1/tool-streams/${streamId}/events?client=${client}`;
    return this.#stream(path, signal, { "last-event-id": String(after) });
  }

  /** The same, chunk by chunk, each beside its own text so that it need not be encoded again. */
  async *toolChunks(
    request: ToolEventsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<{ chunk: ToolChunk; text: string }, void, void> {
    const parser = new EventParser();
    const open = (watched: AbortSignal) => this.toolEvents(request, watched);
    for await (const line of this.#lines(open, { keepEmpty: true }, signal)) {
      const event = parser.push(line);
      if (event) yield { chunk: ToolChunk.parse(JSON.parse(event.data)), text: event.data };
    }
  }

  /** The telemetry stream, line by line, each beside its own text so that it need not be encoded again. */
  async *telemetry(
    { reader, intervalMs, position }: TelemetryRequest,
    signal: AbortSignal,
  ): AsyncGenerator<TelemetryText, void, void> {
    const query = new URLSearchParams({ reader, config: "1" });
    if (intervalMs !== null) query.set("intervalMs", String(intervalMs));
    if (position) {
      query.set("epoch", position.epoch);
      query.set("offset", String(position.offset));
    }
    const open = (watched: AbortSignal) => this.#stream(`/v1/telemetry?${query}`, watched);
    for await (const text of this.#lines(open, { keepEmpty: false }, signal)) {
      yield { line: TelemetryLine.parse(JSON.parse(text)), text };
    }
  }

  /** The clients of a stream's reader want news more or less often. */
  async demand(reader: string, intervalMs: number | null): Promise<void> {
    await this.#json("POST", `/v1/telemetry/${reader}`, z.object({ ok: z.literal(true) }), {
      body: { intervalMs },
    });
  }

  /** A stream's lines. It is given up when it has said nothing for `LIMITS.streamSilenceMs`. */
  async *#lines(
    open: (watched: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
    options: { keepEmpty: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<string, void, void> {
    const watchdog = new Watchdog(this.#ports.clock, LIMITS.streamSilenceMs, signal);
    try {
      const stream = await open(watchdog.signal);
      for await (const line of readLines(stream, new LineSplitter(LIMITS.telemetryLineBytes, options))) {
        watchdog.heard();
        yield line;
      }
    } finally {
      watchdog.stop();
    }
  }

  async #json<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    { body, timeoutMs = LIMITS.sidecarTimeoutMs }: { body?: unknown; timeoutMs?: number } = {},
  ): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await this.#request(method, path, signal, { body });
    const answer = await response.json().catch((cause: unknown) => {
      throw brokenOff(signal, cause);
    });
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw new HivegateError("internal", undefined, { cause: parsed.error });
    return parsed.data;
  }

  async #stream(path: string, signal: AbortSignal, headers?: Record<string, string>) {
    const response = await this.#request("GET", path, signal, { headers });
    if (!response.body) throw new HivegateError("sidecar_unreachable");
    return response.body;
  }

  /** Where a WebSocket to the sidecar is opened, and the headers that say that it is us who does. */
  async upgrade(path: string): Promise<{ url: string; headers: Record<string, string> }> {
    return { url: new URL(path, this.#ports.url).href, headers: await this.#signed("GET", path, NO_BODY) };
  }

  #signed(method: string, path: string, body: Uint8Array): Promise<SignatureHeaders> {
    const { hive, key, sha256, clock, nonce } = this.#ports;
    return signRequest(
      { method, url: path, hive, body },
      { key, sha256, nowMs: clock.now(), lifeMs: LIMITS.signatureLifeMs / 2, nonce: nonce() },
    );
  }

  #request(...request: Request): Promise<Response> {
    const { observe, clock } = this.#ports;
    const send = () => this.#send(...request);
    return observe ? timed(send, observe, { now: () => clock.now() }) : send();
  }

  async #send(...[method, path, signal, extra]: Request): Promise<Response> {
    const body = bytesOf(extra.body);
    const headers = {
      ...extra.headers,
      ...(await this.#signed(method, path, body)),
      ...(body.length && { "content-type": "application/json" }),
    };
    let response: Response;
    try {
      response = await this.#ports.fetch(new URL(path, this.#ports.url).href, {
        method,
        headers,
        signal,
        redirect: "manual",
        ...(body.length > 0 && { body }),
      });
    } catch (cause) {
      throw brokenOff(signal, cause);
    }
    if (extra.accepts?.(response) ?? response.ok) return response;
    throw await refusal(response);
  }
}

/** As the runtime's own types have it: what may be sent. */
type Bytes = ReturnType<InstanceType<typeof TextEncoder>["encode"]>;

function bytesOf(body: unknown): Bytes {
  if (body === undefined) return NO_BODY;
  return isBytes(body) ? body : new TextEncoder().encode(JSON.stringify(body));
}

const isBytes = (body: unknown): body is Bytes =>
  body instanceof Uint8Array && body.buffer instanceof ArrayBuffer;

/** Why the sidecar's answer is not there, or not whole: `timeout`, `cancelled` by who asked, or `sidecar_unreachable`. */
export function brokenOff(signal: AbortSignal, cause: unknown): HivegateError {
  const reason: unknown = signal.aborted ? signal.reason : cause;
  const isLate = reason instanceof DOMException && reason.name === "TimeoutError";
  const code = isLate ? "timeout" : signal.aborted ? "cancelled" : "sidecar_unreachable";
  return new HivegateError(code, undefined, { cause });
}

/** The sidecar's own error, but for the one about our signature, which is not the client's business. */
async function refusal(response: Response): Promise<HivegateError> {
  const body = RemoteError.safeParse(await response.json().catch(() => null));
  if (response.status === 401) return new HivegateError("sidecar_refused", undefined, { cause: body.data });
  if (!body.success) return new HivegateError("sidecar_unreachable", undefined, { cause: response.status });
  const { code, message, retry_after } = body.data;
  return new HivegateError(
    code,
    message,
    retry_after === undefined ? {} : { retryAfterMs: retry_after * 1000 },
  );
}
