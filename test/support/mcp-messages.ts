/** What a client of either era says to an MCP endpoint, and how it reads what it hears. */
import { z } from "zod";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { EventParser, type ServerSentEvent } from "../../shared/wire/sse.ts";

type Json = Record<string, unknown>;

const Answered = z.looseObject({
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.record(z.string(), z.unknown()).default({}),
  error: z
    .object({ code: z.number(), message: z.string(), data: z.record(z.string(), z.unknown()) })
    .partial()
    .default({}),
});

export const jsonOf = async (response: Response): Promise<z.infer<typeof Answered>> =>
  Answered.parse(await response.json());

const KEY = "io.modelcontextprotocol/";

/** A request of 2026, its headers included. `meta` adds to the envelope, `capabilities` are the client's. */
export function modern(
  method: string,
  params: Json = {},
  { id = 1, capabilities = {}, meta = {} }: { id?: number | string; capabilities?: Json; meta?: Json } = {},
): { body: Json; headers: Record<string, string> } {
  const _meta = {
    [`${KEY}protocolVersion`]: "2026-07-28",
    [`${KEY}clientCapabilities`]: capabilities,
    [`${KEY}clientInfo`]: { name: "test", version: "0" },
    ...meta,
  };
  const name = params.name ?? params.uri;
  return {
    body: { jsonrpc: "2.0", id, method, params: { ...params, _meta } },
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": name }),
    },
  };
}

/** A request of 2025 in a session. */
export const legacy = (session: string, method: string, params: Json = {}, id: number | string = 1) => ({
  body: { jsonrpc: "2.0", id, method, params },
  headers: { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" },
});

/** A stream's events one by one; `null` at its end. */
export class Events {
  readonly #events: AsyncGenerator<ServerSentEvent>;

  constructor(response: Response) {
    if (!response.body) throw new Error("the answer has no body");
    this.#events = eventsOf(response.body);
  }

  async next(): Promise<ServerSentEvent | null> {
    const { value, done } = await this.#events.next();
    return done ? null : value;
  }

  /** The next event that has data, parsed. */
  async message(): Promise<Json> {
    for (;;) {
      const next = await this.next();
      if (!next) throw new Error("the stream is over");
      if (next.data !== "") return JSON.parse(next.data);
    }
  }

  /** Hangs up. */
  async leave(): Promise<void> {
    await this.#events.return(undefined);
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const parser = new EventParser();
  for await (const line of readLines(body, new LineSplitter(10_000_000, { keepEmpty: true }))) {
    const parsed = parser.push(line);
    if (parsed) yield parsed;
  }
}
