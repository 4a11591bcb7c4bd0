import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { macKey } from "../../sidecar/http/keys.ts";
import { Events, jsonOf, legacy, modern } from "../support/mcp-messages.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";
import { signedFetch } from "../support/sidecar.ts";

const WITHIN = { timeout: 20_000 };
const SESSIONS = 1_000;

let running: McpSidecar;
beforeAll(async () => {
  running = await startMcpSidecar(
    [
      { name: "both", ...referenceStdio() },
      { name: "old", ...referenceStdio({ only2025: true }) },
    ],
    { LOG_LEVEL: "warn" },
  );
});
afterAll(() => running.stop());

type Sent = {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  client?: string;
  server?: string;
};

async function send({ client = "alice", server = "both", headers = {}, ...sent }: Sent): Promise<Response> {
  const { sidecar, keys } = running;
  const [[kid, secret] = []] = Object.entries(keys);
  return signedFetch(`${sidecar.url}/v1/mcp/${server}?client=${client}`, {
    ...sent,
    key: macKey(String(kid), Buffer.from(String(secret), "base64")),
    headers: { accept: "application/json, text/event-stream", ...headers },
  });
}

async function initialize(to: Pick<Sent, "client" | "server"> = {}, capabilities = {}): Promise<string> {
  const params = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "test", version: "0" } };
  const response = await send({ ...to, body: { jsonrpc: "2.0", id: 0, method: "initialize", params } });
  expect((await jsonOf(response)).error.code).toBeUndefined();
  return String(response.headers.get("mcp-session-id"));
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

const callOf = (name: string, meta = {}, capabilities = {}) =>
  modern("tools/call", { name, arguments: {} }, { meta, capabilities });

const textOf = async (response: Response): Promise<string> =>
  JSON.stringify((await jsonOf(response)).result.content);

describe.each(["both", "old"])("the sidecar's MCP endpoint before a real server (%s)", (server) => {
  it("T1 T2 T10 serves a thousand sessions and clients of 2026 beside them by one process", async () => {
    const sessions: string[] = [];
    for (let n = 0; n < SESSIONS; n += 20) {
      const some = Array.from({ length: 20 }, (_, k) =>
        initialize({ server, client: `client-${(n + k) % 50}` }),
      );
      sessions.push(...(await Promise.all(some)));
    }
    expect(new Set(sessions).size).toBe(SESSIONS);
    const pids = new Set<string>();
    for (let n = 0; n < SESSIONS; n += 100) {
      const { body, headers } = legacy(String(sessions[n]), "tools/call", {
        name: "test_process_id",
        arguments: {},
      });
      pids.add(await textOf(await send({ body, headers, server, client: `client-${n % 50}` })));
      pids.add(await textOf(await send({ ...callOf("test_process_id"), server })));
    }
    expect(pids.size).toBe(1);
    expect(childrenOf(running.sidecar.pid).length).toBeLessThanOrEqual(2);
  });

  it("T1 passes progress on as it comes, and tells the server when the client leaves", async () => {
    const cancelled = async () =>
      Number(/\d+/.exec(await textOf(await send({ ...callOf("test_cancelled_count"), server })))?.[0]);
    const before = await cancelled();
    const events = new Events(await send({ ...callOf("test_wait", { progressToken: "p" }), server }));
    for (const progress of [0, 1, 2])
      expect(await events.message()).toMatchObject({ params: { progressToken: "p", progress } });
    expect(await cancelled()).toBe(before);
    await events.leave();
    await vi.waitFor(async () => expect(await cancelled()).toBe(before + 1), WITHIN);
  });

  it("T1 keeps a session over the death of its server's process, and its stream until it comes back to it", async () => {
    const session = await initialize({ server });
    const { body, headers } = legacy(session, "tools/call", {
      ...{ name: "test_wait", arguments: {} },
      _meta: { progressToken: "p" },
    });
    const events = new Events(await send({ body, headers, server }));
    const primer = await events.next();
    await events.message();
    await events.leave();
    const whose = async () =>
      Number(/\d+/.exec(await textOf(await send({ ...callOf("test_process_id"), server })))?.[0]);
    const pid = await whose();
    process.kill(pid, "SIGKILL");
    const resume = { method: "GET", headers: { ...headers, "last-event-id": String(primer?.id) }, server };
    const resumed = new Events(await send(resume));
    let last = await resumed.message();
    while (last.id === undefined) last = await resumed.message();
    expect(last).toMatchObject({ id: 1, error: { data: { code: "mcp_unavailable", retryable: true } } });
    expect(await resumed.next()).toBeNull();
    await vi.waitFor(async () => {
      const again = await send({
        ...legacy(session, "tools/call", { name: "test_process_id", arguments: {} }, 2),
        server,
      });
      expect(await textOf(again)).toMatch(/\d/);
    }, WITHIN);
    expect(await whose()).not.toBe(pid);
  });
});
