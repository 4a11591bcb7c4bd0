import { randomUUID } from "node:crypto";
import { Pool } from "undici";
import { quantile } from "../report.ts";
import { Run, type Target } from "./call-crowd.ts";
import { answerParent } from "./child.ts";

const MODERN = "2026-07-28";
const LEGACY = "2025-11-25";
const CLIENT = { name: "bench", version: "1" };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientInfo": CLIENT,
  "io.modelcontextprotocol/clientCapabilities": {},
};

answerParent({
  async run(params) {
    const { target, atATime, measureMs, textBytes, differ } = Run.parse(params);
    const pool = new Pool(new URL(target.url).origin, { connections: atATime, pipelining: 1 });
    try {
      const client = new Client(pool, target);
      await client.open();
      const durationsMs: number[] = [];
      const startedMs = performance.now();
      const fixed = textOf(textBytes);
      const caller = async () => {
        while (performance.now() < startedMs + measureMs) {
          const sentMs = performance.now();
          await client.call(differ ? textOf(textBytes) : fixed);
          durationsMs.push(performance.now() - sentMs);
        }
      };
      await Promise.all(Array.from({ length: atATime }, caller));
      const elapsedMs = performance.now() - startedMs;
      await client.close();
      const [p50Ms, p99Ms] = [quantile(durationsMs, 0.5), quantile(durationsMs, 0.99)];
      return { calls: durationsMs.length, elapsedMs, p50Ms, p99Ms };
    } finally {
      await pool.close();
    }
  },
});

const textOf = (bytes: number): string => randomUUID().padEnd(bytes, "x");

/** As little of an MCP client as the calls need, so that it is not what is measured. */
class Client {
  readonly #pool: Pool;
  readonly #target: Target;
  readonly #path: string;
  readonly #headers: Record<string, string>;
  #calls = 0;

  constructor(pool: Pool, target: Target) {
    this.#pool = pool;
    this.#target = target;
    const { pathname, search } = new URL(target.url);
    this.#path = pathname + search;
    this.#headers = {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(target.token !== null && { authorization: `Bearer ${target.token}` }),
      ...(target.speaks === "2026" && {
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": target.tool,
      }),
    };
  }

  async open(): Promise<void> {
    if (this.#target.speaks !== "2025") return;
    const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo: CLIENT };
    const { headers } = await this.#post({ jsonrpc: "2.0", id: "open", method: "initialize", params });
    const session = headers["mcp-session-id"];
    if (typeof session === "string") this.#headers["mcp-session-id"] = session;
    this.#headers["mcp-protocol-version"] = LEGACY;
    await this.#post({ jsonrpc: "2.0", method: "notifications/initialized" });
  }

  /** @throws when the answer is not this call's */
  async call(text: string): Promise<void> {
    const id = ++this.#calls;
    const { tool, speaks, cache } = this.#target;
    const params = { name: tool, arguments: { text }, ...(speaks === "2026" && { _meta: ENVELOPE }) };
    const { body, headers } = await this.#post({ jsonrpc: "2.0", id, method: "tools/call", params });
    if (!body.includes(text) || !(speaks === "plain" || body.includes(`"id":${id}`)))
      throw new Error(`not the answer to call ${id}: ${body.slice(0, 500)}`);
    const kept = String(headers["hivegate-cache"] ?? "");
    // The first one cannot have been kept yet, nor those sent beside it.
    if (cache !== null && id > 1_000 && !kept.startsWith(cache)) throw new Error(`cache: ${kept}`);
  }

  async close(): Promise<void> {
    if (!this.#headers["mcp-session-id"]) return;
    const { body } = await this.#pool.request({ method: "DELETE", path: this.#path, headers: this.#headers });
    await body.dump();
  }

  async #post(message: object) {
    const answer = await this.#pool.request({
      method: "POST",
      path: this.#path,
      headers: this.#headers,
      body: JSON.stringify(message),
    });
    const body = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${this.#target.url}: ${answer.statusCode} ${body}`);
    return { body, headers: answer.headers };
  }
}
