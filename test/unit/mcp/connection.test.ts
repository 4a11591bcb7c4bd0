import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { BREAKER_RULES, type BreakerState } from "../../../shared/pressure/breaker.ts";
import { McpConnection, type McpConnectionOptions } from "../../../sidecar/mcp/connection.ts";
import { Leaving } from "../../../sidecar/mcp/leaving.ts";
import { LiveConnection } from "../../../sidecar/mcp/live-connection.ts";
import { tcpWire } from "../../../sidecar/mcp/wires/tcp.ts";
import { mcpServer, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const echo = mcpServer({
  echo: (args, reply) => reply(args),
  never: () => {},
  die: (_args, _reply, client) => client.drop(),
});

function connect(port: number, options: Partial<McpConnectionOptions> = {}) {
  const { log, lines } = recordingLog();
  const clock = { nowMs: 0 };
  const kept: BreakerState[] = [];
  const made = new McpConnection({
    name: "test",
    wire: tcpWire({ host: "127.0.0.1", port }),
    token: null,
    era: "2025",
    connectTimeoutMs: 2_000,
    callTimeoutMs: 2_000,
    breaker: { rules: BREAKER_RULES, saved: null, save: (state) => void kept.push(state) },
    log,
    now: () => clock.nowMs,
    random: () => 0,
    ...options,
  });
  const connection = new LiveConnection(() => made, { name: "test", leaving: new Leaving() });
  onTestFinished(() => connection.close());
  return { connection, clock, lines, kept };
}

const code = (code: string) => expect.objectContaining({ code });
const methods = (server: { received: { method: string }[] }) => server.received.map(({ method }) => method);

describe("a connection to an MCP server", () => {
  it("H9 a hundred simultaneous calls share one connection and find their own answers", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    const calls = Array.from({ length: 100 }, (_, n) => connection.call("echo", { n }));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, n) => ({ n })));
    expect(server.accepted()).toBe(1);
    expect(methods(server).filter((method) => method === "initialize")).toHaveLength(1);
  });

  it("H9 it says hello as the protocol asks, with UUIDs as ids", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    await connection.call("echo", {});
    expect(methods(server)).toEqual(["initialize", "notifications/initialized", "tools/call"]);
    expect(server.received[0]?.params).toMatchObject({
      protocolVersion: "2025-11-25",
      capabilities: { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} },
    });
    expect(server.received[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  it("H6 what the server can do is known for as long as it was connected to once", async () => {
    const server = await startLineServer(({ id, method }, client) => {
      if (id === undefined) return;
      client.send({ jsonrpc: "2.0", id, result: { capabilities: { tools: {} } } });
      if (method === "ping") client.drop();
    });
    const { connection } = connect(server.port);
    expect(connection.capabilities).toBeNull();
    await connection.ping().catch(() => {});
    await vi.waitFor(() => expect(connection.isOpen).toBe(false));
    expect(connection.capabilities).toEqual({ tools: {} });
  });

  it("S8 the token goes first, and never into the log", async () => {
    const server = await startLineServer(echo);
    const { connection, lines } = connect(server.port, { token: "s3cret-token" });
    await connection.call("echo", {});
    expect(methods(server)[0]).toBe("authenticate");
    expect(server.received[0]?.params).toEqual({ token: "s3cret-token" });
    expect(lines.join()).not.toContain("s3cret-token");
  });

  it("S8 a wrong token is mcp_unavailable", async () => {
    const server = await startLineServer(({ id }, client) => {
      client.send({ jsonrpc: "2.0", id, error: { code: -32000, message: "Authentication failed" } });
      client.drop();
    });
    const { connection } = connect(server.port, { token: "wrong" });
    await expect(connection.call("echo", {})).rejects.toEqual(code("mcp_unavailable"));
    expect(methods(server)).toEqual(["authenticate"]);
  });

  it("T1 whoever waits for it alone may go, or wait no longer, and it is opened for all others", async () => {
    const greeted = Promise.withResolvers<void>();
    const server = await startLineServer(async (request, client) => {
      if (request.method === "initialize") await greeted.promise;
      echo(request, client);
    });
    const { connection } = connect(server.port);
    const leaving = new AbortController();
    const stays = connection.info();
    const goes = connection.info({ signal: leaving.signal });
    const hurries = connection.info({ signal: new AbortController().signal, timeoutMs: 10 });
    await expect(hurries).rejects.toEqual(code("mcp_unavailable"));
    leaving.abort(new Error("left"));
    await expect(goes).rejects.toThrow("left");
    greeted.resolve();
    expect((await stays).era).toBe("2025");
    expect([connection.connections, connection.circuit.state]).toEqual([1, "closed"]);
  });

  it("H9 answers may come in pieces, many at once, and between lines of rubbish", async () => {
    const waiting: string[] = [];
    const server = await startLineServer((request, client) => {
      if (request.method !== "tools/call") return echo(request, client);
      const text = JSON.stringify({ said: "grüße 🐝", to: request.params?.arguments });
      waiting.push(
        JSON.stringify({ jsonrpc: "2.0", id: request.id, result: { content: [{ type: "text", text }] } }),
      );
      if (waiting.length < 3) return;
      const bytes = Buffer.from(`🚀 log line\n${waiting.join("\r\n")}\n\n`);
      // Two cuts inside a character and one inside a line.
      const cuts = [0, 2, bytes.indexOf("ü") + 1, 200, bytes.length];
      void (async () => {
        for (const [index, start] of cuts.slice(0, -1).entries()) {
          client.write(bytes.subarray(start, cuts[index + 1]));
          // So that the pieces travel apart; the outcome must be the same if they do not.
          await delay(2);
        }
      })();
    });
    const { connection } = connect(server.port);
    const answers = await Promise.all([1, 2, 3].map((n) => connection.call("echo", { n })));
    expect(answers).toEqual([1, 2, 3].map((n) => ({ said: "grüße 🐝", to: { n } })));
  });

  it("H9 a server that dies fails the calls that wait at once, and the next call reconnects", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port, { callTimeoutMs: 60_000 });
    await connection.call("echo", {});
    const calls = [connection.call("never", {}), connection.call("never", {}), connection.call("die", {})];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "mcp_unavailable" } });
    }
    expect(await connection.call("echo", { again: true })).toEqual({ again: true });
    expect(server.accepted()).toBe(2);
    // Nothing was sent a second time behind the caller's back.
    expect(server.received.filter(({ params }) => params?.name === "never")).toHaveLength(2);
  });

  it("S4 a server that cannot be had is left alone once its circuit is open; when it is back, so are the calls", async () => {
    const first = await startLineServer(echo);
    await first.close();
    const { connection, clock, kept } = connect(first.port);
    for (let n = 0; n < 5; n++) {
      expect(connection.circuit.state).toBe("closed");
      await expect(connection.call("echo", {})).rejects.toEqual(code("mcp_unavailable"));
    }
    expect(connection.circuit).toEqual({ state: "open", since: 0, retry_at: 500 });
    expect(connection.retryInMs).toBe(500);
    expect(connection.isFailing).toBe(true);

    const second = await startLineServer(echo, { port: first.port });
    await expect(connection.call("echo", {})).rejects.toEqual(code("circuit_open"));
    expect(second.accepted()).toBe(0);

    clock.nowMs += 500;
    for (let n = 0; n < 2; n++) expect(await connection.call("echo", { n })).toEqual({ n });
    expect(connection.circuit.state).toBe("closed");
    expect(connection.isFailing).toBe(false);
    expect(kept.map(({ phase }) => phase)).toEqual(["open", "half_open", "closed"]);
  });

  it("S4 the circuit is where it was after a restart", async () => {
    const server = await startLineServer(echo);
    await server.close();
    const before = connect(server.port);
    for (let n = 0; n < 5; n++) await before.connection.call("echo", {}).catch(() => {});

    const saved: unknown = JSON.parse(JSON.stringify(before.kept.at(-1)));
    const breaker = { rules: BREAKER_RULES, saved, save: () => {} };
    const { connection } = connect(server.port, { breaker });
    expect(connection.circuit).toEqual(before.connection.circuit);
    await expect(connection.call("echo", {})).rejects.toEqual(code("circuit_open"));
  });

  it("S4 an error that the server answers with does not open the circuit, silence does", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    for (let n = 0; n < 20; n++) {
      await expect(connection.call("no_such_tool", {})).rejects.toEqual(code("mcp_failed"));
    }
    expect(connection.circuit.state).toBe("closed");
    const silent = Array.from({ length: 14 }, () => connection.call("never", {}, { timeoutMs: 20 }));
    for (const { status } of await Promise.allSettled(silent)) expect(status).toBe("rejected");
    expect(connection.circuit.state).toBe("open");
  });

  it("S4 calls that were never sent say nothing about the server", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port, { callTimeoutMs: 60_000 });
    await connection.call("echo", {});
    const calls = Array.from({ length: 20 }, () => connection.call("never", {}));
    connection.close();
    await Promise.allSettled(calls);
    expect(connection.circuit.state).toBe("closed");
  });

  it("S4 a server that greets and hangs up is asked less and less often", async () => {
    const server = await startLineServer((request, client) =>
      request.method === "tools/call" ? client.drop() : echo(request, client),
    );
    const { connection, clock } = connect(server.port);
    for (; clock.nowMs < 10_000; clock.nowMs += 100) await connection.call("echo", {}).catch(() => {});
    // Five before the circuit opens, then one each after 0.5, 1, 2 and 4 seconds.
    expect(server.accepted()).toBe(9);
  });

  it("S4 whoever wants to know hears of a loss at once, and of each change of the circuit", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    await connection.call("echo", {});
    const heard: string[] = [];
    const stop = connection.onTrouble(() => heard.push(connection.circuit.state));
    for (const client of server.clients) client.drop();
    await vi.waitFor(() => expect(heard).toEqual(["closed"]));
    await server.close();
    for (let n = 0; n < 5; n++) await connection.call("echo", {}).catch(() => {});
    expect(heard).toEqual(["closed", "open"]);
    stop();
  });

  it("S8 a refusal line closes the connection; its words are for the log alone", async () => {
    const server = await startLineServer(() => {}, {
      greet: (client) => client.write('{"error":"Max connections reached for 10.0.0.7"}\n'),
    });
    const { connection, lines } = connect(server.port, { callTimeoutMs: 60_000, connectTimeoutMs: 60_000 });
    const error = await connection.call("echo", {}).catch((error: unknown) => error);
    expect(error).toEqual(code("mcp_unavailable"));
    expect(String(error)).not.toContain("10.0.0.7");
    expect(lines.join()).toContain("10.0.0.7");
    await vi.waitFor(() => expect(server.clients.size).toBe(0));
  });

  it("S8 a refusal in the same breath as the greeting counts as a failure to connect", async () => {
    const server = await startLineServer(({ id }, client) => {
      if (id === undefined) return;
      client.write(
        `${JSON.stringify({ jsonrpc: "2.0", id, result: {} })}\n{"error":"Rate limit exceeded"}\n`,
      );
    });
    const { connection } = connect(server.port);
    await expect(connection.call("echo", {})).rejects.toEqual(code("mcp_unavailable"));
    expect(connection.isFailing).toBe(true);
  });

  it("S6 a line without an end closes the connection", async () => {
    const server = await startLineServer((request, client) =>
      request.method === "tools/call"
        ? client.write(Buffer.alloc(LIMITS.mcpLineBytes + 1, "a"))
        : echo(request, client),
    );
    const { connection } = connect(server.port, { callTimeoutMs: 60_000 });
    await expect(connection.call("echo", {})).rejects.toEqual(code("mcp_unavailable"));
    await vi.waitFor(() => expect(server.clients.size).toBe(0));
  });

  it("S6 more calls than the limit are refused, and there is room again when they end", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port, { callTimeoutMs: 60_000 });
    await connection.call("echo", {});
    const calls = Array.from({ length: LIMITS.mcpPendingCalls }, () => connection.call("never", {}));
    await expect(connection.call("echo", {})).rejects.toEqual(code("overloaded"));
    await vi.waitFor(() => expect(methods(server)).toHaveLength(LIMITS.mcpPendingCalls + 3));
    for (const client of server.clients) client.drop();
    await Promise.allSettled(calls);
    // One loss, though it ended a thousand calls: the circuit stays closed.
    expect(await connection.call("echo", {})).toEqual({});
  });

  it("H2 a call that takes too long ends with timeout and does no harm to the others", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    await expect(connection.call("never", {}, { timeoutMs: 20 })).rejects.toEqual(code("timeout"));
    expect(await connection.call("echo", { n: 1 })).toEqual({ n: 1 });
    expect(server.accepted()).toBe(1);
  });

  it("S4 a server that is slow at what it does is not taken for dead: it answers a ping", async () => {
    const server = await startLineServer(echo);
    const patient = { ...BREAKER_RULES, failuresInARow: 100, leastOutcomes: 100 };
    const { connection } = connect(server.port, { breaker: { rules: patient, saved: null, save: () => {} } });
    for (let round = 0; round < 10; round++) {
      const pings = methods(server).filter((method) => method === "ping").length;
      await connection.call("never", {}, { timeoutMs: 20 }).catch(() => {});
      await vi.waitFor(() =>
        expect(methods(server).filter((method) => method === "ping").length).toBeGreaterThan(pings),
      );
    }
    await connection.call("echo", {});
    expect(server.accepted()).toBe(1);
  });

  it("S4 one that answers nothing any more is connected to anew, by its first silence and two pings", async () => {
    let isMute = false;
    const server = await startLineServer((request, client) => {
      if (!isMute) echo(request, client);
    });
    const { connection, clock } = connect(server.port, { connectTimeoutMs: 50 });
    await connection.call("echo", {});
    isMute = true;
    const calls = Array.from({ length: 10 }, () => connection.call("echo", {}, { timeoutMs: 20 }));
    for (const { status } of await Promise.allSettled(calls)) expect(status).toBe("rejected");
    await vi.waitFor(() => expect(connection.isOpen).toBe(false));
    expect(methods(server).filter((method) => method === "ping")).toHaveLength(2);
    isMute = false;
    clock.nowMs += 1_000;
    expect(await connection.call("echo", {})).toEqual({});
    expect(server.accepted()).toBe(2);
  });

  it("H6 a ping counts any answer as a sign of life, and no answer as none", async () => {
    const server = await startLineServer(({ id, method }, client) => {
      if (method === "ping") client.send({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } });
      else if (id !== undefined) client.send({ jsonrpc: "2.0", id, result: {} });
    });
    const { connection } = connect(server.port, { now: () => performance.now() });
    expect(await connection.ping()).toBeGreaterThanOrEqual(0);
    await server.close();
    await expect(connection.ping()).rejects.toEqual(code("mcp_unavailable"));
  });

  it("S3 notifications are heard over every reconnection, until nobody wants them", async () => {
    const server = await startLineServer(echo);
    const { connection } = connect(server.port);
    const heard: unknown[] = [];
    const stop = connection.onNotification((notification) => heard.push(notification.params.n));
    const tell = (n: number) => {
      for (const client of server.clients) {
        client.send({ jsonrpc: "2.0", method: "notifications/agents/changed", params: { n } });
      }
      return connection.call("echo", {});
    };
    await connection.call("echo", {});
    await tell(1);
    await connection.call("die", {}).catch(() => {});
    await connection.call("echo", {});
    await tell(2);
    stop();
    await tell(3);
    expect(heard).toEqual([1, 2]);
  });

  it("Q3 closing ends what waits, connecting included, and nothing can be asked after that", async () => {
    const mute = await startLineServer(() => {});
    const { connection } = connect(mute.port, { connectTimeoutMs: 60_000, callTimeoutMs: 60_000 });
    const call = connection.call("echo", {});
    await vi.waitFor(() => expect(mute.received).toHaveLength(1));
    connection.close();
    await expect(call).rejects.toEqual(code("shutting_down"));
    await expect(connection.call("echo", {})).rejects.toEqual(code("shutting_down"));
    await vi.waitFor(() => expect(mute.clients.size).toBe(0));
  });
});
