import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { BREAKER_RULES } from "../../../shared/pressure/breaker.ts";
import { McpConnection } from "../../../sidecar/mcp/connection.ts";
import type { Exchange } from "../../../sidecar/mcp/upstream.ts";
import { tcpWire } from "../../../sidecar/mcp/wires/tcp.ts";
import { type Client, mcpServer, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const DEEP = `{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}`;
const TIMEOUT_MS = 2_000;

/** While the timers that others use stand still. */
async function waitFor(condition: () => boolean): Promise<void> {
  for (const startedMs = performance.now(); !condition(); await new Promise(setImmediate))
    if (performance.now() - startedMs > 5_000) throw new Error("it did not happen");
}

async function connect(answer: Parameters<typeof startLineServer>[0]) {
  const { port, received } = await startLineServer(answer);
  const { log, lines } = recordingLog();
  const connection = new McpConnection({
    ...{ name: "hostile", wire: tcpWire({ host: "127.0.0.1", port }), token: null, era: "2025" },
    ...{ connectTimeoutMs: TIMEOUT_MS, callTimeoutMs: TIMEOUT_MS, log, now: Date.now, random: () => 0 },
    breaker: { rules: BREAKER_RULES, saved: null, save: () => {} },
  });
  onTestFinished(() => connection.close());
  const exchange = (name: string, args: unknown = {}, more: Partial<Exchange> = {}) =>
    connection.exchange(
      { method: "tools/call", params: { name, arguments: args } },
      { client: "a", signal: new AbortController().signal, ...more },
    );
  return { connection, exchange, received, lines };
}

/** Answers as others do, but the tool `evil` does as the test says. */
const evil =
  (does: (id: unknown, client: Client) => void): Parameters<typeof startLineServer>[0] =>
  (request, client) => {
    if (request.params?.name === "evil") does(request.id, client);
    else mcpServer({ echo: (args, reply) => reply(args) })(request, client);
  };

describe("a server that says what we cannot pass on", () => {
  it("S6 fails the call whose answer is nested too deep, at once and alone", async () => {
    const { connection, exchange } = await connect(
      evil((id, client) => client.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${DEEP}}\n`)),
    );
    await expect(exchange("evil")).rejects.toMatchObject({ code: "mcp_failed" });
    expect(await exchange("echo")).toHaveProperty("result");
    expect(connection.connections).toBe(1);
  });

  it("S6 is not heard where it tells something that is nested too deep", async () => {
    const heard = vi.fn();
    const { exchange } = await connect(
      evil((id, client) => {
        client.write(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":${DEEP}}}\n`);
        client.send({ jsonrpc: "2.0", id, result: {} });
      }),
    );
    expect(await exchange("evil", {}, { onNotification: heard })).toEqual({ result: {} });
    expect(heard).not.toHaveBeenCalled();
  });

  it("S8 keeps its connection where a log line of its own looks like a refusal", async () => {
    const { connection, exchange } = await connect(
      evil((id, client) => {
        client.write('{"level":"error","error":"cache miss"}\n{"error":"cache miss"}\n');
        client.send({ jsonrpc: "2.0", id, result: {} });
      }),
    );
    expect(await exchange("evil")).toEqual({ result: {} });
    expect(connection.isOpen).toBe(true);
  });

  it("S6 loses its connection where it makes us fail, and nothing else happens", async () => {
    const { connection, exchange, lines } = await connect(
      evil((_id, client) => client.send({ jsonrpc: "2.0", method: "notifications/message", params: {} })),
    );
    const onNotification = () => {
      throw new TypeError("what a bug");
    };
    await expect(exchange("evil", {}, { onNotification })).rejects.toMatchObject({ code: "mcp_unavailable" });
    expect(lines.join()).toContain("what a bug");
    expect(await exchange("echo")).toHaveProperty("result");
    expect(connection.connections).toBe(2);
  });
});

describe("a client that does what it likes", () => {
  it("S4 opens nobody's circuit by waiting for less than a tool takes, while the server answers pings", async () => {
    const { connection, exchange } = await connect((request, client) => {
      if (request.method === "ping") client.send({ jsonrpc: "2.0", method: "notifications/pinged" });
      evil(() => {})(request, client);
    });
    await exchange("echo");
    let pings = 0;
    connection.onNotification(() => void pings++);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    // For longer than one in a hurry, whose timeouts say nothing.
    const timeoutMs = LIMITS.mcpConnectTimeoutMs + 1;
    for (let n = 1; n <= 6; n++) {
      const call = exchange("evil", {}, { timeoutMs }).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(timeoutMs);
      expect(await call).toMatchObject({ code: "timeout" });
      // One to know when the server has heard that it is cancelled, and one to see how it is.
      await waitFor(() => pings === 2 * n);
    }
    expect(connection.circuit.state).toBe("closed");
    expect(await exchange("echo")).toHaveProperty("result");
  });

  it("S4 is not what makes a call fail that cannot be written, and leaves nothing behind", async () => {
    const { connection, exchange } = await connect(
      evil((id, client) => {
        client.send({ jsonrpc: "2.0", method: "notifications/message", params: { data: "b's" } });
        client.send({ jsonrpc: "2.0", id, result: {} });
      }),
    );
    const cyclic: Record<string, unknown> = {};
    cyclic.itself = cyclic;
    for (let n = 0; n < 12; n++)
      await expect(exchange("echo", cyclic)).rejects.toMatchObject({ code: "internal" });
    expect(connection.circuit.state).toBe("closed");
    // Of a call that waits still it could not be told whose a log line is.
    const heard: unknown[] = [];
    const onNotification = (notification: unknown) => void heard.push(notification);
    await exchange("evil", {}, { client: "b", onNotification });
    expect(heard).toHaveLength(1);
  });
});
