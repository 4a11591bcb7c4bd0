import { AsyncLocalStorage } from "node:async_hooks";
import {
  isJSONRPCResponse,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
  TRACEPARENT_META_KEY,
  TRACESTATE_META_KEY,
} from "@modelcontextprotocol/client";
import { LIMITS } from "../../../shared/limits.ts";
import { isTooDeep } from "../../../shared/wire/json.ts";
import { isRecord } from "../record.ts";
import type { OpenWire, Outgoing, Wire, WireEvents } from "../wire.ts";
import { within } from "../within.ts";
import { failureOf } from "./http-failure.ts";
import { limitedFetch } from "./limited-fetch.ts";
import { ParamHeaders } from "./param-headers.ts";
import { bareOf } from "./parse-line.ts";

/** A stream that breaks is taken up again for as long as the wire is open; each pause is half as long again. */
const RECONNECTION = {
  initialReconnectionDelay: 1_000,
  maxReconnectionDelay: 60_000,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: Number.MAX_SAFE_INTEGER,
};

/** A server may say how soon it is to be, but not that we do nothing else. */
function reconnectLater(reconnect: () => void, delayMs: number): () => void {
  const soonest = Math.max(delayMs, LIMITS.mcpReconnectMs);
  const timer = setTimeout(reconnect, Math.min(soonest, RECONNECTION.maxReconnectionDelay));
  return () => clearTimeout(timer);
}

/** Streamable HTTP: a request for each message, and for 2025 a stream beside for what the server says unasked. */
export function httpWire(to: { url: string; headers: Record<string, string> }): OpenWire {
  // What its tools want in headers is still known when it is connected to anew.
  const params = new ParamHeaders();
  return async (events, signal) => {
    signal.throwIfAborted();
    const stop = () => void wire.close();
    const onClose = (cause: Error | null) => {
      signal.removeEventListener("abort", stop);
      events.onClose(cause);
    };
    const wire = new HttpWire(to, params, { ...events, onClose });
    await wire.start();
    signal.addEventListener("abort", stop);
    return wire;
  };
}

class HttpWire implements Wire {
  readonly #transport: StreamableHTTPClientTransport;
  readonly #events: WireEvents;
  readonly #params: ParamHeaders;
  readonly #http = limitedFetch();
  /** In the course of which request something is received: the transport itself does not tell. */
  readonly #stream = new AsyncLocalStorage<string>();
  /** Requests whose answers are awaited. */
  readonly #waiting = new Map<string, AbortController>();
  /** The server does not know our session any more: what waits is still answered, and nothing new is sent. */
  #sessionOver: Error | null = null;
  #closed: Promise<void> | null = null;
  readonly unsentBytes = 0;

  constructor(
    { url, headers }: { url: string; headers: Record<string, string> },
    params: ParamHeaders,
    events: WireEvents,
  ) {
    this.#events = events;
    this.#params = params;
    this.#transport = new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers },
      fetch: this.#http.fetch,
      reconnectionOptions: RECONNECTION,
      reconnectionScheduler: reconnectLater,
    });
    this.#transport.onmessage = (message) => {
      const said = isTooDeep(message) ? bareOf(message) : message;
      params.learn(said);
      events.onMessage(said, this.#stream.getStore());
      if (isJSONRPCResponse(message)) this.#settled(String(message.id));
    };
    // Of what fails to be sent, whoever sent it hears.
    this.#transport.onerror = (error) => {
      const isStream =
        error instanceof SdkHttpError && error.code === SdkErrorCode.ClientHttpFailedToOpenStream;
      if (isStream) this.#failedUnasked(error);
    };
  }

  start(): Promise<void> {
    return this.#transport.start();
  }

  get isOpen(): boolean {
    return this.#closed === null && this.#sessionOver === null;
  }

  get hasSession(): boolean {
    return this.#transport.sessionId !== undefined;
  }

  agreed(protocolVersion: string): void {
    this.#transport.setProtocolVersion(protocolVersion);
  }

  send(message: Outgoing): void {
    if ("method" in message && "id" in message) this.#ask(message.id, message);
    // What is lost of these the server misses, and says so if it matters.
    else this.#transport.send(message).catch((error: unknown) => this.#failedUnasked(error));
  }

  abandon(id: string): void {
    this.#waiting.get(id)?.abort();
    this.#settled(id);
  }

  close(): Promise<void> {
    return this.#end(null);
  }

  #ask(id: string, message: Extract<Outgoing, { id: string; method: string }>): void {
    const abandoned = new AbortController();
    this.#waiting.set(id, abandoned);
    const options = {
      requestSignal: abandoned.signal,
      headers: {
        ...traceHeaders(message.params),
        ...(message.method === "tools/call" && this.#params.headersFor(message.params)),
      },
      onRequestStreamEnd: () => this.#askingFailed(id, new Error("the answer's stream ended early")),
    };
    this.#stream
      .run(id, () => this.#transport.send(message, options))
      .catch((error: unknown) => this.#askingFailed(id, error));
  }

  #askingFailed(id: string, error: unknown): void {
    const failure = failureOf(error, id, this.#transport.sessionId !== undefined);
    if (failure.kind === "session_over") this.#sessionOver ??= failure.why;
    if (failure.kind === "answer") this.#events.onMessage(failure.message, id);
    else if (this.#waiting.has(id)) this.#events.onLost(id, failure.why);
    this.#settled(id);
  }

  /** Nobody waits for it: all that matters of it is whether the session is over. */
  #failedUnasked(error: unknown): void {
    const failure = failureOf(error, null, this.#transport.sessionId !== undefined);
    if (failure.kind !== "session_over") return;
    this.#sessionOver ??= failure.why;
    this.#endOnceAnswered();
  }

  #settled(id: string): void {
    this.#waiting.delete(id);
    this.#endOnceAnswered();
  }

  #endOnceAnswered(): void {
    if (this.#sessionOver && this.#waiting.size === 0) void this.#end(this.#sessionOver);
  }

  #end(cause: Error | null): Promise<void> {
    if (this.#closed) return this.#closed;
    this.#closed = this.#finish(cause);
    this.#events.onClose(cause);
    return this.#closed;
  }

  async #finish(cause: Error | null): Promise<void> {
    if (!cause) {
      const late = () => new Error("the server does not end the session");
      await within(this.#transport.terminateSession(), LIMITS.mcpEndGraceMs, late).catch(() => {});
    }
    await this.#transport.close();
    await this.#http.close();
  }
}

/** The same trace as in the request's `_meta`, for what is between us and the server. */
function traceHeaders({ _meta }: Record<string, unknown>): Record<string, string> {
  const meta = isRecord(_meta) ? _meta : {};
  const { [TRACEPARENT_META_KEY]: traceparent, [TRACESTATE_META_KEY]: tracestate } = meta;
  return {
    ...(typeof traceparent === "string" && { traceparent }),
    ...(typeof tracestate === "string" && { tracestate }),
  };
}
