/** Clients that come, and leave without a word, by the thousand: nothing of them stays in the gateway or the sidecar. */
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { type LineServer, mcpServer, startLineServer } from "../support/line-server.ts";
import {
  ChainClient,
  type ChainOptions,
  type McpChain,
  residentBytes,
  sidecarMetrics,
  startMcpChain,
} from "../support/mcp-chain.ts";
import { Events } from "../support/mcp-messages.ts";
import type { McpServerEntry } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";
import { overStdio } from "../support/scripted-mcp.ts";

/** What a session that nobody uses may hold, garbage that is not collected yet included. */
const SESSION_BYTES = 15_000;
const WARM_UP = 3_000;
const CALL_MS = 20_000;
const AT_ONCE = 32;
/** workerd notices that a stream's client has left when the next thing comes for it. */
const NOTICED = { timeout: 2 * LIMITS.mcpKeepAliveMs + 15_000, interval: 100 };

/** Ended with the test. No client is told to come less often. */
async function chainTo(server: McpServerEntry, options: ChainOptions = {}): Promise<McpChain> {
  const chain = await startMcpChain([server], {
    gateway: { MCP_REQUESTS_PER_SECOND: "100000" },
    sidecar: { LOG_LEVEL: "warn" },
    ...options,
  });
  onTestFinished(() => chain.stop());
  return chain;
}

async function clientsOf(
  { gateway }: McpChain,
  era: "2025" | "2026",
  count: number,
  server: string,
): Promise<ChainClient[]> {
  const url = `${gateway.url}/mcp/${server}`;
  const tokens = await Promise.all(Array.from({ length: count }, () => gateway.token()));
  return tokens.map((token) => new ChainClient(era, { url, token }));
}

/** `act` for each of `count`, by the clients in turn, `AT_ONCE` at a time. */
async function byTurns<T>(
  clients: readonly ChainClient[],
  count: number,
  act: (client: ChainClient, n: number) => Promise<T>,
): Promise<T[]> {
  const done: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) {
      const client = clients[n % clients.length];
      if (client) done[n] = await act(client, n);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done;
}

const childrenOf = (pid: number): string =>
  process.platform === "linux" ? readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8") : "";

async function held({ mcp, gateway }: McpChain) {
  const samples = await sidecarMetrics(mcp);
  const one = (name: string, label: string, value: string): number | undefined =>
    samples.find((sample) => sample.name === name && sample.labels[label] === value)?.value;
  const open = (what: string) => one("hivegate_mcp_open", "what", what);
  return {
    sessions: open("sessions"),
    requests: open("requests"),
    streams: open("streams"),
    timers: one("nodejs_active_resources", "type", "Timeout") ?? 0,
    children: childrenOf(mcp.sidecar.pid),
    sidecarBytes: residentBytes(mcp.sidecar.pid) ?? 0,
    gatewayBytes: residentBytes(gateway.pid) ?? 0,
  };
}

describe("clients that leave without a word", () => {
  it("T1 S6 leave ten thousand sessions at most, which hold no process, no timer and little memory", async () => {
    const chain = await chainTo(overStdio("one"));
    const clients = await clientsOf(chain, "2025", 12, "one");
    // What both hold at work is known after the first ones.
    const first = await byTurns(clients, WARM_UP, (client) => client.open());
    const before = await held(chain);
    await byTurns(clients, LIMITS.mcpSessions, (client) => client.open());
    const after = await held(chain);
    expect([before.sessions, after.sessions]).toEqual([WARM_UP, LIMITS.mcpSessions]);
    expect(after).toMatchObject({
      requests: 0,
      streams: 0,
      timers: before.timers,
      children: before.children,
    });
    expect(after.sidecarBytes - before.sidecarBytes).toBeLessThan(LIMITS.mcpSessions * SESSION_BYTES);
    expect(after.gatewayBytes - before.gatewayBytes).toBeLessThan(LIMITS.mcpSessions * SESSION_BYTES);
    // The oldest made room for the others, and nobody is kept from working.
    const [client] = clients;
    const headers = { "mcp-session-id": String(first[0]) };
    expect((await client?.send("GET", { headers }))?.status).toBe(404);
    expect(await client?.call("echo", { text: "still there" }, CALL_MS)).toBe("ok");
  });

  it("T1 S6 are noticed: two thousand streams that were cut are let go of", {
    timeout: 120_000,
  }, async () => {
    const chain = await chainTo({ name: "both", ...referenceStdio() });
    const [legacy, modern] = await Promise.all([
      clientsOf(chain, "2025", 50, "both"),
      clientsOf(chain, "2026", 50, "both"),
    ]);
    const begun = async (response: Response) => {
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      const events = new Events(response);
      await events.next();
      await events.leave();
    };
    await byTurns(legacy, 700, async (client) => {
      const headers = { "mcp-session-id": await client.open() };
      await begun(await client.send("GET", { headers }));
    });
    const notifications = { toolsListChanged: true };
    await byTurns(modern, 700, async (client) =>
      begun(await client.post("subscriptions/listen", { notifications })),
    );
    const slow = { name: "test_wait", arguments: {}, _meta: { progressToken: "p" } };
    await byTurns(modern, 600, async (client) => begun(await client.post("tools/call", slow)));
    const { sessions, timers } = await held(chain);
    expect(sessions).toBe(700);
    await vi.waitUntil(async () => (await held(chain)).streams === 0, NOTICED);
    expect(await held(chain)).toMatchObject({ sessions: 700, requests: 0, streams: 0 });
    expect((await held(chain)).timers).toBeLessThanOrEqual(timers);
  });

  it.each(["2025", "2026"] as const)(
    "T5 S6 cancel what they asked: a thousand calls of %s clients",
    async (era) => {
      const texts = new Set<unknown>();
      const server = await startLineServer(
        mcpServer({
          echo: (args, reply) => reply(args),
          never: (args) => void texts.add(JSON.stringify(args)),
        }),
      );
      const line = { name: "line", host: "127.0.0.1", port: server.port };
      // workerd sees that a client has left when it has something to tell it, which it never has here.
      const chain = await chainTo(line, { start: startDenoGateway });
      const clients = await clientsOf(chain, era, 10, "line");
      await byTurns(clients, 1_000, async (client, n) => {
        const leaving = new AbortController();
        const params = { name: "never", arguments: { n } };
        const left = client.post("tools/call", params, leaving.signal).catch(() => "left");
        // Every second one leaves at once, wherever its call is by then.
        if (n % 2 === 0)
          await vi.waitUntil(() => texts.has(JSON.stringify({ n })), { timeout: 20_000, interval: 5 });
        leaving.abort();
        expect(await left).toBe("left");
      });
      await vi.waitUntil(async () => (await held(chain)).requests === 0, NOTICED);
      expect(texts.size).toBeGreaterThanOrEqual(500);
      await vi.waitFor(() => expect(cancelledAt(server)).toEqual(askedOf(server)), NOTICED);
      expect(await held(chain)).toMatchObject({ requests: 0, streams: 0 });
      expect(await clients[0]?.call("echo", { text: "still there" }, CALL_MS)).toBe("ok");
    },
  );
});

/** The calls that no answer came to, by the ids that the sidecar gave them. */
const askedOf = ({ received }: LineServer): Set<unknown> =>
  new Set(received.flatMap(({ id, params }) => (params?.name === "never" ? [id] : [])));

const cancelledAt = ({ received }: LineServer): Set<unknown> =>
  new Set(
    received.flatMap(({ method, params }) =>
      method === "notifications/cancelled" ? [params?.requestId] : [],
    ),
  );
