/** The whole way of a call: clients of both eras, the gateway under `workerd serve`, a sidecar, scripted MCP servers. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../../shared/errors.ts";
import { type RunningGateway, startGateway } from "./gateway.ts";
import { Events, legacy, modern } from "./mcp-messages.ts";
import { type McpServerEntry, type McpSidecar, startMcpSidecar } from "./mcp-sidecar.ts";
import { type Sample, samplesIn } from "./metrics.ts";

export type McpChain = {
  mcp: McpSidecar;
  gateway: RunningGateway;
  /** In the place of the one before, which was killed. */
  restartSidecar(): Promise<void>;
  restartGateway(): Promise<void>;
  stop(): Promise<void>;
};

export type ChainOptions = {
  /** On which host; workerd when not said. */
  start?: typeof startGateway;
  /** Further settings of each. */
  gateway?: Record<string, string>;
  sidecar?: Record<string, string>;
};

export async function startMcpChain(
  servers: readonly McpServerEntry[],
  { start = startGateway, ...env }: ChainOptions = {},
): Promise<McpChain> {
  const mcp = await startMcpSidecar(servers, env.sidecar);
  const options = { sidecarUrl: mcp.sidecar.url, keys: mcp.keys, env: env.gateway ?? {} };
  const gateway = await start(options);
  const chain: McpChain = {
    mcp,
    gateway,
    restartSidecar: async () => {
      chain.mcp = await startMcpSidecar(servers, env.sidecar, chain.mcp);
    },
    restartGateway: async () => {
      const { port, jwtSecret } = gateway;
      chain.gateway = await start({ ...options, port, jwtSecret });
    },
    stop: async () => {
      await chain.gateway.kill("SIGKILL");
      await chain.mcp.stop();
    },
  };
  return chain;
}

/** What became of a call: an error's code; `gone`: nobody was there to answer; `left`: the caller did not wait for it. */
export type Outcome = "ok" | ErrorCode | "another's answer" | "unclear" | "gone" | "left";

/** With `id` null it was refused before it was known which call it is. */
const Answer = z.object({
  id: z.union([z.number(), z.null()]),
  result: z.object({ content: z.tuple([z.object({ text: z.string() })]) }).optional(),
  error: z.object({ data: z.object({ code: z.enum(ERROR_CODES) }) }).optional(),
});
type Answer = z.infer<typeof Answer>;

const Meta = z.object({ _meta: z.record(z.string(), z.unknown()).optional() });

type Sent = { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal };

/** A client that a person might use: it opens a session where its era has them, and another one when that is over. */
export class ChainClient {
  readonly era: "2025" | "2026";
  readonly #url: string;
  readonly #token: string;
  #session: Promise<string> | null = null;
  #asked = 0;

  constructor(era: "2025" | "2026", { url, token }: { url: string; token: string }) {
    this.era = era;
    this.#url = url;
    this.#token = token;
  }

  send(method: "POST" | "GET" | "DELETE", { body, headers, signal }: Sent): Promise<Response> {
    return fetch(this.#url, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal ?? null,
    });
  }

  /** A request in this client's era. */
  async post(method: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Response> {
    return this.#post(++this.#asked, method, params, signal);
  }

  async #post(
    id: number,
    method: string,
    params: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { _meta: meta = {} } = Meta.parse(params);
    const message =
      this.era === "2026"
        ? modern(method, params, { id, meta })
        : legacy(await this.session(), method, params, id);
    return this.send("POST", { ...message, ...(signal && { signal }) });
  }

  /** The id of its session. */
  session(): Promise<string> {
    this.#session ??= this.open().catch((error) => {
      this.#session = null;
      throw error;
    });
    return this.#session;
  }

  /** A new session, with nothing but its id to show for it. */
  async open(): Promise<string> {
    const hello = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "test", version: "0" },
    };
    const body = { jsonrpc: "2.0", id: 0, method: "initialize", params: hello };
    const response = await this.send("POST", { body });
    const { error } = Answer.pick({ error: true }).parse(await response.json());
    const session = response.headers.get("mcp-session-id");
    if (session === null) throw new NoSession(error?.data.code ?? "internal");
    return session;
  }

  /** Calls a tool with arguments of its own. An answer with other ones than these was meant for somebody else. */
  async call(tool: string, args: Record<string, unknown>, limitMs: number): Promise<Outcome> {
    const signal = AbortSignal.timeout(limitMs);
    const id = ++this.#asked;
    try {
      const response = await this.#post(id, "tools/call", { name: tool, arguments: args }, signal);
      const answer = await answerIn(response);
      if (answer?.error?.data.code === "not_found") this.#session = null;
      return answer ? outcomeOf(answer, id, args) : "unclear";
    } catch (thrown) {
      if (thrown instanceof NoSession) return thrown.code;
      return signal.aborted ? "left" : "gone";
    }
  }

  /** What a tool of the scripted server answers. @throws ZodError when it does not */
  async data(tool: string): Promise<unknown> {
    const response = await this.post("tools/call", { name: tool, arguments: {} });
    return JSON.parse(Answer.required({ result: true }).parse(await response.json()).result.content[0].text);
  }
}

class NoSession extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(`no session: ${code}`);
    this.code = code;
  }
}

/** Null: it is none that anybody could read. */
async function answerIn(response: Response): Promise<Answer | null> {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const { data } = Answer.safeParse(isStream ? await lastOf(response) : await response.json());
  return data ?? null;
}

async function lastOf(response: Response): Promise<unknown> {
  const events = new Events(response);
  for (;;) {
    const message = await events.message();
    if (message.method === undefined) return message;
  }
}

function outcomeOf({ id, result, error }: Answer, asked: number, args: object): Outcome {
  if (error) return id === null || id === asked ? error.data.code : "another's answer";
  if (!result) return "unclear";
  return id === asked && result.content[0].text === JSON.stringify(args) ? "ok" : "another's answer";
}

const FAILED_PAUSE_MS = 30;

/** `ms`: how long it took. */
export type Tried = { outcome: Outcome; ms: number };

/** Calls of `echo` by all clients in turn, `atOnce` at a time, each with its own text, until it is stopped. */
export class Load {
  /** What came of each call, in the order that they ended. */
  readonly tried: Tried[] = [];
  readonly #limitMs: number;
  readonly #workers: Promise<unknown>;
  #isOver = false;

  constructor(
    clients: readonly ChainClient[],
    { atOnce = clients.length, limitMs }: { atOnce?: number; limitMs: number },
  ) {
    this.#limitMs = limitMs;
    const turns = Math.ceil(atOnce / clients.length);
    const workers = clients.flatMap((client, c) =>
      Array.from({ length: turns }, (_, n) => this.#work(client, `client ${c}, worker ${n}`)),
    );
    this.#workers = Promise.all(workers);
  }

  /** Resolves when all calls under way have ended. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#workers;
  }

  async #work(client: ChainClient, name: string): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const startedMs = performance.now();
      const outcome = await client.call("echo", { text: `${name}, call ${n}` }, this.#limitMs);
      this.tried.push({ outcome, ms: performance.now() - startedMs });
      // Until a server is back each answer would be the same.
      if (outcome !== "ok") await delay(FAILED_PAUSE_MS);
    }
  }
}

export const countsOf = (tried: readonly Tried[]): Partial<Record<Outcome, number>> =>
  Object.fromEntries(
    Object.entries(Object.groupBy(tried, ({ outcome }) => outcome)).map(([outcome, all]) => [
      outcome,
      all?.length ?? 0,
    ]),
  );

/** What a sidecar says of itself, by its secret's holder or anybody on its host. */
export async function sidecarMetrics({ sidecar }: McpSidecar): Promise<Sample[]> {
  return samplesIn(await (await fetch(`${sidecar.url}/metrics`)).text());
}

/** What a process holds in memory; null where the system does not tell. */
export function residentBytes(pid: number): number | null {
  if (process.platform !== "linux") return null;
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}
