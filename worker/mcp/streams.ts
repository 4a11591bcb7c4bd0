/**
 * Streamed calls of tools: the sidecar makes and keeps them, here it is decided who may. They are their client's, whether
 * it asks over HTTP or on a socket, but a token that may not call the tool may not see what it tells either.
 */
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { CallToolRequest } from "../../shared/protocol/client.ts";
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import type { ToolChunk, ToolStream } from "../../shared/protocol/tools.ts";
import type { TraceHeaders } from "../../shared/trace/tracer.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import type { Defer } from "./events.ts";
import { clientOf } from "./forward.ts";
import { type Policy, unknownTool } from "./policy.ts";
import { type Asked, type RecordPorts, recorded } from "./recorded.ts";
import type { ToolCall } from "./tool-calls.ts";

/** Who asks, of which hive. */
export type Caller = {
  hive: string;
  identity: Identity;
  defer: Defer;
  trace?: NonNullable<ToolCall["trace"]>;
};

type Client = Pick<Caller, "hive" | "identity">;

export type StreamCall = Omit<CallToolRequest, "stream">;

export type ToolStreamsPorts = {
  policy: Pick<Policy, "access" | "takeRequest" | "takeCall">;
  sidecar(hive: string): SidecarClient;
} & RecordPorts;

export class ToolStreams {
  readonly #ports: ToolStreamsPorts;

  constructor(ports: ToolStreamsPorts) {
    this.#ports = ports;
  }

  /**
   * Begins a call, which counts against the client's rates, and does not wait for it.
   * @throws HivegateError `forbidden`, `unknown_tool`, `rate_limited`, `body_too_large`, and what keeps the sidecar from it
   */
  async start(caller: Caller, call: StreamCall): Promise<ToolStream> {
    const { hive, identity } = caller;
    const place = splitQualifiedName(call.tool);
    const { id, arguments: given, timeoutMs, idempotencyKey: key } = call;
    const argumentBytes = new TextEncoder().encode(JSON.stringify(given)).length;
    const named = { server: place?.server ?? null, tool: place?.name ?? null };
    const about = { ...named, requestBytes: argumentBytes, arguments: given };
    return this.#recorded(caller, "tools/stream", about, async (trace) => {
      this.#ports.policy.takeRequest(identity, this.#ports.now());
      if (!place) throw unknownTool(call.tool);
      const { server, name: tool } = place;
      this.#ports.policy.takeCall(identity, { server, tool, argumentBytes }, this.#ports.now());
      const client = await clientOf(hive, identity);
      return this.#ports.sidecar(hive).startToolStream(client, {
        ...{ server, tool, id, arguments: given },
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(key !== undefined && { key }),
        ...(trace && { trace }),
      });
    });
  }

  /** @throws HivegateError `unknown_stream` when it is not there, or not for this token */
  async find({ hive, identity }: Client, streamId: string): Promise<ToolStream> {
    this.#ports.policy.takeRequest(identity, this.#ports.now());
    const access = this.#ports.policy.access(identity);
    const client = await clientOf(hive, identity);
    const stream = await this.#ports.sidecar(hive).toolStream(client, streamId);
    if (!access.tool(stream.server, stream.tool)) throw new HivegateError("unknown_stream");
    return stream;
  }

  /** Its last chunk tells of it. @throws HivegateError as `find` */
  async cancel(caller: Caller, streamId: string): Promise<ToolStream> {
    const { server, tool } = await this.find(caller, streamId);
    return this.#recorded(caller, "tools/stream/cancel", { server, tool, requestBytes: 0 }, async () => {
      const client = await clientOf(caller.hive, caller.identity);
      return this.#ports.sidecar(caller.hive).cancelToolStream(client, streamId);
    });
  }

  /** What it tells after chunk number `after`, as Server-Sent Events. Of a stream that was found or started. */
  async events({ hive, identity }: Client, streamId: string, after: number, signal: AbortSignal) {
    const client = await clientOf(hive, identity);
    return this.#ports.sidecar(hive).toolEvents({ client, streamId, after }, signal);
  }

  /** The same, chunk by chunk, each with its own text. */
  async *chunks(
    { hive, identity }: Client,
    streamId: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ chunk: ToolChunk; text: string }, void, void> {
    const client = await clientOf(hive, identity);
    yield* this.#ports.sidecar(hive).toolChunks({ client, streamId, after }, signal);
  }

  /** By a method of its own: how long it takes to begin a call says nothing of how long the tool takes. */
  #recorded(
    { hive, identity, defer, trace }: Caller,
    method: string,
    about: Pick<Asked, "server" | "tool" | "requestBytes" | "arguments">,
    act: (trace: TraceHeaders | null) => Promise<ToolStream>,
  ): Promise<ToolStream> {
    const asked = {
      ...about,
      ...trace,
      traceparent: trace?.traceparent,
      hive,
      method,
      client: identity.subject,
    };
    return recorded(this.#ports, asked, defer, act);
  }
}
