import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { OrchestratorsAnswer } from "../../shared/relay/orchestrators.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { portOf } from "../support/line-server.ts";
import { openUpgrade, TestLink } from "../support/relay-link.ts";
import { type Sidecar, signedFetch, startSidecar } from "../support/sidecar.ts";

const WITHIN_MS = 20_000;
const wsUrl = (port: number): string => `ws://127.0.0.1:${port}/ws`;

async function demo(options: Parameters<typeof startDemo>[0] = {}): Promise<Demo> {
  const started = await startDemo({ faults: true, ...options });
  onTestFinished(() => started.stop());
  return started;
}

async function sidecar(
  urls: string[],
  env: Record<string, string> = {},
): Promise<Sidecar & { stateDir: string }> {
  const stateDir = mkdtempSync(join(tmpdir(), "hivegate-relay-"));
  const started = await startSidecar({
    env: {
      SWARM_EXECUTOR: "process",
      SIDECAR_STATE_DIR: stateDir,
      ENABLE_MCP_TELEMETRY: "false",
      ORCHESTRATOR_WS_URL: urls.join(","),
      ORCHESTRATOR_RETRY_BASE_MS: "100",
      ORCHESTRATOR_RETRY_MAX_MS: "1000",
      LOG_LEVEL: "warn",
      ...env,
    },
  });
  onTestFinished(async () => {
    await started.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });
  return { ...started, stateDir };
}

async function link(url: string): Promise<TestLink> {
  const opened = new TestLink(url);
  onTestFinished(() => opened.close());
  return opened.up();
}

/** An orchestrator whose answers the test gives by itself. */
async function scripted(): Promise<{ port: number; sockets: WebSocket[]; heard: string[] }> {
  const http = createServer().listen(0, "127.0.0.1");
  await once(http, "listening");
  const server = new WebSocketServer({ server: http });
  const sockets: WebSocket[] = [];
  const heard: string[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("message", (data) => heard.push(String(data)));
  });
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  return { port: portOf(http), sockets, heard };
}

/** The demo answers with what it was given. */
const echo = (ms: number) => ({ name: "demo_fault", arguments: { fault: "none", ms } });

const orchestratorsOf = async (url: string, urls?: string[]) => {
  const options = urls ? { method: "PUT", body: { urls } } : {};
  const answer = await signedFetch(`${url}/v1/relay/orchestrators`, options);
  return OrchestratorsAnswer.parse(await answer.json()).orchestrators;
};

describe("the relay's sidecar half", () => {
  it("R3 gives each of a hundred clients with the same ids its own answers, over one connection", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const relay = await link(url);
    const sessions = Array.from({ length: 100 }, () => relay.open());
    for (const [n, session] of sessions.entries()) {
      session.ask(1, "tools/call", echo(n));
      session.ask("1", "tools/call", echo(n + 1_000));
      session.ask(null, "tools/call", echo(n + 2_000));
    }
    for (const [n, session] of sessions.entries()) {
      const answers = (await session.got(3)).map((text) => JSON.parse(text));
      expect(answers.map(({ id, result }) => [id, result.structuredContent.ms])).toEqual([
        [1, n],
        ["1", n + 1_000],
        [null, n + 2_000],
      ]);
    }
    const [orchestrator] = await orchestratorsOf(url);
    expect(orchestrator).toMatchObject({ state: "connected", sessions: { shared: 100 }, pending: 0 });
  });

  it("R1 passes texts and bytes through a dedicated connection as they were, a megabyte too", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const session = (await link(url)).open("dedicated");
    const large = randomBytes(1_000_000);
    const sent = [
      "hello",
      Buffer.from([0, 255, 10]),
      "\ufeffmarked",
      "",
      large,
      '{"jsonrpc":"2.0"}',
      Buffer.alloc(0),
    ];
    for (const data of sent) session.send(data);
    await session.got(sent.length);
    const kinds = session.messages.map((data) => typeof data);
    expect(kinds).toEqual(sent.map((data) => typeof data));
    for (const [n, data] of sent.entries()) {
      const hash = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");
      expect(hash(session.messages[n] ?? "missing")).toBe(hash(data));
    }
  });

  it("R1 passes on how either side closed", async () => {
    const { port, sockets } = await scripted();
    const { url } = await sidecar([wsUrl(port)]);
    const relay = await link(url);
    const ended = relay.open("dedicated");
    await ended.reached("connected");
    sockets[0]?.close(4321, "enough");
    await vi.waitUntil(() => ended.closed, WITHIN_MS);
    expect(ended.closed).toEqual({ code: 4321, reason: "enough" });
    const leaving = relay.open("dedicated");
    await leaving.reached("connected");
    const closed = once(sockets[1] ?? fail("no second connection"), "close");
    leaving.close(3_999, "bye");
    expect((await closed).map(String)).toEqual(["3999", "bye"]);
  });

  it("R4 loses and doubles nothing while the link is cut again and again, in order", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const relay = await link(url);
    const session = relay.open("dedicated");
    const all = Array.from({ length: 10_000 }, (_, n) => String(n));
    for (let at = 0; at < all.length; at += 500) {
      for (const data of all.slice(at, at + 500)) session.send(data);
      await session.got(Math.max(0, at - 300));
      relay.cut();
    }
    expect(await session.got(all.length)).toEqual(all);
    expect(relay.dials).toBeGreaterThan(5);
    expect(relay.resets).toBe(0);
  });

  it("R4 tells who asked that the orchestrator died, holds what comes then, and delivers it once", async () => {
    const first = await startDemo({ faults: true });
    const { url } = await sidecar([wsUrl(first.wsPort)]);
    const session = (await link(url)).open();
    await session.reached("connected");
    session.ask("before", "ping");
    await session.got(1);
    await first.kill();
    await vi.waitUntil(() => session.notices.some(({ state }) => state === "interrupted"), WITHIN_MS);
    session.ask("held", "tools/call", echo(7));
    await session.reached("reconnecting");
    await demo({ wsPort: first.wsPort });
    await session.reached("connected");
    const answers = (await session.got(2)).map((text) => JSON.parse(text));
    expect(answers[1]).toMatchObject({ id: "held", result: { structuredContent: { ms: 7 } } });
    expect(session.refused).toEqual([]);
    const states = session.notices.map(({ state }) => state);
    expect(states.slice(0, 4)).toEqual(["connecting", "connected", "interrupted", "reconnecting"]);
    const waiting = session.notices.find(({ state }) => state === "reconnecting");
    expect(waiting).toMatchObject({ attempt: 1, delay_ms: expect.any(Number) });
  });

  it("R4 answers a request by an error when its connection breaks, and never sends it again", async () => {
    const { port, sockets, heard } = await scripted();
    const { url } = await sidecar([wsUrl(port)]);
    const session = (await link(url)).open();
    session.ask(5, "tools/call");
    await vi.waitUntil(() => heard.length === 1, WITHIN_MS);
    sockets[0]?.terminate();
    await vi.waitUntil(() => session.refused.length === 1, WITHIN_MS);
    expect(session.refused[0]).toMatchObject({
      id: "5",
      code: "swarm_unavailable",
      message: expect.stringContaining("may have taken effect"),
    });
    await vi.waitUntil(() => sockets.length === 2, WITHIN_MS);
    session.ask(6, "ping");
    await vi.waitUntil(() => heard.length === 2, WITHIN_MS);
    expect(JSON.parse(heard[1] ?? "")).toMatchObject({ method: "ping" });
  });

  it("R2 opens the circuit after its tries, refuses at once, and recovers by itself", async () => {
    const first = await startDemo();
    const { url } = await sidecar([wsUrl(first.wsPort)], { ORCHESTRATOR_RETRY_TRIES: "2" });
    const session = (await link(url)).open();
    await session.reached("connected");
    await first.kill();
    await session.reached("circuit_open");
    session.ask(1, "ping");
    await vi.waitUntil(() => session.refused.length === 1, WITHIN_MS);
    expect(session.refused[0]).toMatchObject({ id: "1", code: "circuit_open" });
    await demo({ wsPort: first.wsPort });
    await session.reached("connected");
    session.ask(2, "ping");
    expect(JSON.parse((await session.got(1))[0] ?? "")).toEqual({ jsonrpc: "2.0", id: 2, result: {} });
  });

  it("R2 ends a connection whose orchestrator answers no ping", async () => {
    const { port, sockets } = await scripted();
    const { url } = await sidecar([wsUrl(port)], { ORCHESTRATOR_HEARTBEAT_MS: "100" });
    const session = (await link(url)).open();
    await session.reached("connected");
    // A paused socket reads no ping, so that it answers none.
    sockets[0]?.pause();
    await vi.waitUntil(() => session.notices.some(({ state }) => state === "interrupted"), WITHIN_MS);
    await vi.waitUntil(() => sockets.length === 2, WITHIN_MS);
  });

  it("R3 moves the sessions of an orchestrator that fails to one that is well", async () => {
    const [a, b] = [await startDemo({ faults: true }), await demo()];
    const { url } = await sidecar([wsUrl(a.wsPort), wsUrl(b.wsPort)]);
    const relay = await link(url);
    const sessions = [relay.open(), relay.open(), relay.open(), relay.open()];
    for (const session of sessions) await session.reached("connected");
    expect((await orchestratorsOf(url)).map(({ sessions }) => sessions.shared)).toEqual([2, 2]);
    await a.kill();
    await vi.waitUntil(async () => (await orchestratorsOf(url))[1]?.sessions.shared === 4, WITHIN_MS);
    for (const [n, session] of sessions.entries()) session.ask(n, "tools/call", echo(n));
    for (const [n, session] of sessions.entries())
      expect(JSON.parse((await session.got(1)).at(-1) ?? "")).toMatchObject({ id: n });
  });

  it("R6 changes the orchestrator while running: what was asked is answered, what comes goes to the new one", async () => {
    const [old, next] = [await scripted(), await scripted()];
    const { url } = await sidecar([wsUrl(old.port)]);
    const relay = await link(url);
    const session = relay.open();
    session.ask(1, "slow");
    await vi.waitUntil(() => old.heard.length === 1, WITHIN_MS);
    const left = await orchestratorsOf(url, [wsUrl(next.port)]);
    expect(left.map(({ state, pending }) => [state, pending])).toContainEqual(["draining", 1]);
    session.ask(2, "quick");
    await vi.waitUntil(() => next.heard.length === 1, WITHIN_MS);
    const { id } = JSON.parse(old.heard[0] ?? "");
    const closed = once(old.sockets[0] ?? fail("no connection"), "close");
    old.sockets[0]?.send(JSON.stringify({ jsonrpc: "2.0", id, result: "late" }));
    expect(await session.got(1)).toEqual(['{"jsonrpc":"2.0","id":1,"result":"late"}']);
    await closed;
    expect(session.closed).toBeNull();
    expect(session.notices.map(({ state }) => state)).toEqual([
      "connecting",
      "connected",
      "draining",
      "connecting",
      "connected",
    ]);
    expect((await orchestratorsOf(url)).map((one) => one.url)).toEqual([wsUrl(next.port)]);
    const refused = await signedFetch(`${url}/v1/relay/orchestrators`, {
      method: "PUT",
      body: { urls: ["http://h"] },
    });
    expect(refused.status).toBe(400);
  });

  it("R6 says goodbye on SIGTERM: what was asked is answered, then all come back later", async () => {
    const { port, sockets, heard } = await scripted();
    const started = await sidecar([wsUrl(port)]);
    const relay = await link(started.url);
    const [shared, dedicated] = [relay.open(), relay.open("dedicated")];
    await dedicated.reached("connected");
    shared.ask(1, "slow");
    await vi.waitUntil(() => heard.length === 1, WITHIN_MS);
    const ended = started.kill("SIGTERM");
    await vi.waitUntil(() => relay.goaways === 1 && dedicated.closed, WITHIN_MS);
    expect(dedicated.closed?.code).toBe(4004);
    const late = relay.open();
    await vi.waitUntil(() => late.closed, WITHIN_MS);
    expect(late.closed?.code).toBe(4004);
    const { id } = JSON.parse(heard[0] ?? "");
    for (const socket of sockets) socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: "in time" }));
    await shared.got(1);
    await vi.waitUntil(() => shared.closed, WITHIN_MS);
    expect([shared.texts[0], shared.closed?.code]).toEqual([
      '{"jsonrpc":"2.0","id":1,"result":"in time"}',
      4004,
    ]);
    expect((await ended).exitCode).toBe(0);
  });

  it("R4 resets the link when the sidecar was killed, and relays again after it", async () => {
    const { wsPort } = await demo();
    const started = await sidecar([wsUrl(wsPort)]);
    const relay = await link(started.url);
    relay.open();
    await relay.link.isUp;
    await started.kill("SIGKILL");
    await sidecar([wsUrl(wsPort)], { SIDECAR_PORT: new URL(started.url).port });
    await vi.waitUntil(() => relay.resets === 1, WITHIN_MS);
    const session = relay.open();
    session.ask(1, "ping");
    expect(await session.got(1)).toHaveLength(1);
  });

  it("R4 stops a dedicated orchestrator while the client does not read, and loses nothing", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const session = (await link(url)).open("dedicated");
    session.isAsleep = true;
    const all = Array.from({ length: 40 }, (_, n) => `${n} ${"x".repeat(100_000)}`);
    for (const data of all) session.send(data);
    await session.got(10);
    session.wake();
    expect(await session.got(all.length)).toEqual(all);
  });

  it("R3 keeps to its limit of dedicated connections", async () => {
    const { port, sockets } = await scripted();
    const { url } = await sidecar([wsUrl(port)]);
    const relay = await link(url);
    const sessions = Array.from({ length: 65 }, () => relay.open("dedicated"));
    await vi.waitUntil(() => sockets.length === 64 && sessions[64]?.closed, WITHIN_MS);
    expect(sessions[64]?.closed?.code).toBe(4002);
    sessions[0]?.close();
    await vi.waitUntil(async () => (await orchestratorsOf(url))[0]?.sessions.dedicated === 63, WITHIN_MS);
    await relay.open("dedicated").reached("connected");
  });

  it("S6 keeps to its limit of links, and forgets one that is down for one that comes", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const links = await Promise.all(Array.from({ length: 8 }, () => link(url)));
    for (const one of links) await one.open().reached("connected");
    await expect(openUpgrade(`${url}/v1/relay?link=ninth`)).rejects.toMatchObject({ status: 503 });
    links[0]?.close();
    const shared = async () => (await orchestratorsOf(url))[0]?.sessions.shared;
    expect(await shared()).toBe(8);
    const ninth = (await link(url)).open();
    await ninth.reached("connected");
    expect(await shared()).toBe(8);
  });

  it("R4 goes on when a newer socket takes the place of one that has not ended", async () => {
    const { wsPort } = await demo();
    const { url } = await sidecar([wsUrl(wsPort)]);
    const relay = await link(url);
    const session = relay.open();
    session.ask(1, "ping");
    await session.got(1);
    await relay.dial();
    session.ask(2, "ping");
    expect(JSON.parse((await session.got(2))[1] ?? "")).toMatchObject({ id: 2 });
    expect([relay.dials, relay.resets]).toEqual([2, 0]);
  });

  it("S8 takes no upgrade that the gateway did not sign, and none to elsewhere", async () => {
    const { url } = await sidecar([wsUrl(9)]);
    await expect(openUpgrade(`${url}/v1/relay?link=a`, { headers: {} })).rejects.toMatchObject({
      status: 401,
    });
    await expect(openUpgrade(`${url}/v1/tasks`)).rejects.toMatchObject({ status: 404 });
    await expect(openUpgrade(`${url}/v1/relay`)).rejects.toMatchObject({ status: 400 });
  });

  it("R5 writes a line for each message, without what it says", async () => {
    const { wsPort } = await demo();
    const { url, stateDir } = await sidecar([wsUrl(wsPort)]);
    const session = (await link(url)).open();
    session.ask(1, "tools/call", echo(42));
    session.send("not JSON-RPC");
    await session.got(1);
    const lines = () =>
      readFileSync(join(stateDir, "relay-audit.jsonl"), "utf8")
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    await vi.waitUntil(() => lines().length === 3, WITHIN_MS);
    const who = { client: expect.any(String), subject: "subject-1", kind: "text", bytes: expect.any(Number) };
    expect(lines()).toMatchObject([
      { ...who, direction: "to_orchestrator", method: "tools/call", outcome: "passed" },
      { ...who, direction: "to_orchestrator", method: null, outcome: "invalid_request" },
      { ...who, direction: "to_client", method: "tools/call", outcome: "passed" },
    ]);
    expect(JSON.stringify(lines())).not.toContain("demo_fault");
  });
});

function fail(message: string): never {
  throw new Error(message);
}
