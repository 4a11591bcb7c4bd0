import { describe, expect, it, onTestFinished, vi } from "vitest";
import { BREAKER_RULES, type BreakerState } from "../../../shared/pressure/breaker.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import type { LiveConnection } from "../../../sidecar/mcp/live-connection.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";
import { McpServers, type McpServersOptions } from "../../../sidecar/mcp/servers.ts";
import { type Client, type LineServer, mcpServer, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const code = (code: string) => expect.objectContaining({ code });
const parsed = (configs: readonly object[]) => McpServerConfigs.parse(configs);
const config = (name: string, { port }: { port: number }, more: object = {}) => ({
  ...{ name, host: "127.0.0.1", port },
  ...more,
});

function start(configs: readonly object[], options: Partial<McpServersOptions> = {}) {
  const states = new Map<string, BreakerState>();
  const observed: [server: string, outcome: string][] = [];
  const servers = new McpServers(parsed(configs), {
    callTimeoutMs: 5_000,
    rules: { ...BREAKER_RULES, failuresInARow: 1 },
    breakers: {
      load: (name) => states.get(name) ?? null,
      save: (name, state) => void states.set(name, state),
      forget: (name) => void states.delete(name),
    },
    observe: (server, outcome) => void observed.push([server, outcome]),
    log: recordingLog().log,
    now: Date.now,
    random: () => 0,
    ...options,
  });
  onTestFinished(() => servers.close());
  const server = (name: string) => {
    const found = servers.get(name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  return {
    servers,
    server,
    states,
    observed,
    apply: (next: readonly object[]) => servers.apply(parsed(next)),
  };
}

/** One that says which it is, at once or when it is let. */
async function named(who: string) {
  const waiting: (() => void)[] = [];
  const server = await startLineServer(
    mcpServer({
      who: (_args, reply) => reply(who),
      slow: (_args, reply) => void waiting.push(() => reply(who)),
    }),
  );
  return {
    ...server,
    /** Those that wait are answered. */
    letGo: () => {
      for (const reply of waiting.splice(0)) reply();
    },
    isAsked: () => vi.waitFor(() => expect(waiting).not.toHaveLength(0)),
  };
}

const closed = (server: LineServer) => vi.waitFor(() => expect(server.clients.size).toBe(0));

describe("a list of MCP servers that is changed", () => {
  it("C1 leaves the servers that stay as they were alone: same connection, same objects", async () => {
    const [one, two, three] = [await named("one"), await named("two"), await named("three")];
    const { servers, server, apply } = start([config("a", one), config("b", two, { category: "x" })]);
    const [a, view] = [server("a"), servers.upstream("a")];
    await a.connection.call("who", {});
    const { host, name, port } = config("a", one);
    const difference = apply([{ port, name, host, type: "tcp" }, config("c", three)]);
    expect(difference).toEqual({ added: ["c"], changed: [], removed: ["b"] });
    expect(server("a")).toBe(a);
    expect(servers.upstream("a")).toBe(view);
    expect(await a.connection.call("who", {})).toBe("one");
    expect([one.accepted(), two.accepted(), three.accepted()]).toEqual([1, 0, 0]);
    expect(servers.configs.map(({ name }) => name)).toEqual(["a", "c"]);
    expect(servers.upstream("b")).toBeNull();
  });

  it("C1 is told to those who listen, once it is in force, and only where something is different", async () => {
    const one = await named("one");
    const { servers, apply } = start([config("a", one)]);
    const heard: unknown[] = [];
    const stop = servers.onChange((difference) => heard.push([difference, servers.all().length]));
    apply([config("a", one)]);
    apply([config("a", one), config("b", one)]);
    apply([config("b", one, { pool: "p" })]);
    stop();
    apply([]);
    expect(heard).toEqual([
      [{ added: ["b"], changed: [], removed: [] }, 2],
      [{ added: [], changed: ["b"], removed: ["a"] }, 1],
    ]);
  });

  it("C1 lets calls under way end where they began, and brings new ones to the new server", async () => {
    const [one, two] = [await named("one"), await named("two")];
    const { server, observed, apply } = start([config("a", one)]);
    const { connection } = server("a");
    const before = connection.call("slow", {});
    await one.isAsked();
    apply([config("a", two)]);
    expect(server("a").connection).toBe(connection);
    expect(await connection.call("who", {})).toBe("two");
    expect(one.clients.size).toBe(1);
    one.letGo();
    expect(await before).toBe("one");
    await closed(one);
    expect([one.accepted(), two.accepted()]).toEqual([1, 1]);
    expect(observed).toEqual([
      ["a", "ok"],
      ["a", "ok"],
    ]);
  });

  it("C1 sends what waited for a server that does not open to the one that takes its place", async () => {
    const mute = await startLineServer(() => {});
    const two = await named("two");
    const { server, observed, apply } = start([config("a", mute)]);
    const { connection } = server("a");
    const waiting = [connection.call("who", {}), connection.info().then(({ era }) => era)];
    await vi.waitFor(() => expect(mute.received).toHaveLength(1));
    apply([config("a", two)]);
    expect(await Promise.all(waiting)).toEqual(["two", "2025"]);
    expect(observed).toEqual([["a", "ok"]]);
    await closed(mute);
  });

  it("C1 gives a server up that does not end its calls in time, and says so", async () => {
    const [one, two] = [await named("one"), await named("two")];
    const { server, apply } = start([config("a", one)], { leaving: { waitMs: 30 } });
    const { connection } = server("a");
    const lost = connection.call("slow", {});
    await one.isAsked();
    apply([config("a", two)]);
    await expect(lost).rejects.toThrow("was replaced or taken away, and did not answer in time");
    await expect(lost).rejects.toMatchObject({ code: "mcp_unavailable" });
    await closed(one);
    expect(await connection.call("who", {})).toBe("two");
  });

  it("C1 gives up the oldest of more than so many that have something under way", async () => {
    const one = await named("one");
    const { servers, server } = start([config("a", one)], { leaving: { busy: 2 } });
    const { connection } = server("a");
    const calls = [];
    for (let n = 0; n < 3; n++) {
      calls.push(connection.call("slow", {}).catch(({ code }) => code));
      await vi.waitFor(() => expect(one.clients.size).toBe(n + 1));
      await one.isAsked();
      servers.restart("a");
    }
    expect(await calls[0]).toBe("mcp_unavailable");
    await vi.waitFor(() => expect(one.clients.size).toBe(2));
    one.letGo();
    expect(await Promise.all(calls)).toEqual(["mcp_unavailable", "one", "one"]);
    await closed(one);
  });

  it("C1 lets a server that is taken away end its calls; there is none for whoever asks after that", async () => {
    const one = await named("one");
    const { servers, server, apply } = start([config("a", one)]);
    const { connection } = server("a");
    const before = connection.call("slow", {});
    await one.isAsked();
    apply([]);
    await expect(connection.call("who", {})).rejects.toEqual(code("unknown_server"));
    one.letGo();
    expect(await before).toBe("one");
    await closed(one);
    expect(servers.all()).toEqual([]);
    await expect(connection.info()).rejects.toEqual(code("unknown_server"));
    expect(one.accepted()).toBe(1);
  });

  it("C1 has another object for a server that comes back, and one connection again", async () => {
    const one = await named("one");
    const { server, apply } = start([config("a", one)]);
    const before = server("a").connection;
    await before.call("who", {});
    apply([]);
    apply([config("a", one)]);
    expect(server("a").connection).not.toBe(before);
    expect(await server("a").connection.call("who", {})).toBe("one");
    await vi.waitFor(() => expect(one.clients.size).toBe(1));
    expect(one.accepted()).toBe(2);
  });

  it("C1 keeps listeners, tells them once that lists may have changed, and lets them hear the new server alone", async () => {
    const [one, two] = [await startTalking(), await startTalking()];
    const { server, apply } = start([config("a", one.server)]);
    const { connection } = server("a");
    const heard: string[] = [];
    const troubled = vi.fn();
    connection.onNotification(({ method }) => heard.push(method));
    connection.onTrouble(troubled);
    await connection.info();
    const before = connection.connections;
    const pending = connection.call("slow", {});
    await vi.waitFor(() => expect(one.server.received.at(-1)?.method).toBe("tools/call"));
    apply([config("a", two.server)]);
    expect(connection.connections).toBeGreaterThan(before);
    expect(heard.splice(0)).toEqual([
      "notifications/tools/list_changed",
      "notifications/prompts/list_changed",
      "notifications/resources/list_changed",
    ]);
    expect(troubled).toHaveBeenCalledOnce();
    await connection.info();
    one.say("notifications/old");
    two.say("notifications/new");
    await vi.waitFor(() => expect(heard).toEqual(["notifications/new"]));
    one.reply();
    expect(await pending).toBe("replied");
  });

  it("C1 changes what is no business of the connection without touching it", async () => {
    const one = await named("one");
    const { servers, server, apply } = start([config("a", one)]);
    await server("a").connection.call("who", {});
    const view = servers.upstream("a");
    const heard = vi.fn();
    server("a").connection.onNotification(heard);
    const settings = { pool: "p", profile: "demo", category: "c", cache: { tools: { who: 5 } }, eager: true };
    expect(apply([config("a", one, settings)])).toEqual({ added: [], changed: ["a"], removed: [] });
    expect(server("a")).toMatchObject({ pool: "p", profile: "demo", tellsOfAgents: true });
    expect(servers.pools().map((members) => members.map(({ name }) => name))).toEqual([["a"]]);
    expect(heard).not.toHaveBeenCalled();
    apply([config("a", one, { ...settings, allowedTools: ["x*"] })]);
    expect(heard).toHaveBeenCalledTimes(3);
    expect(servers.upstream("a")).toBe(view);
    expect(await server("a").connection.call("who", {})).toBe("one");
    expect(one.accepted()).toBe(1);
  });

  it("C1 tries a server anew whose configuration was corrected, and leaves nothing of its circuit", async () => {
    const refusing = await startLineServer(({ id, params }, client) =>
      client.send(
        params?.token === "right" || params?.token === undefined
          ? { jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "1" }] } }
          : { jsonrpc: "2.0", id, error: { code: -1, message: "no" } },
      ),
    );
    const { server, states, apply } = start([config("a", refusing, { token: "wrong" })]);
    const { connection } = server("a");
    await expect(connection.call("who", {})).rejects.toEqual(code("mcp_unavailable"));
    expect(connection.circuit.state).toBe("open");
    expect([...states.keys()]).toEqual([`mcp:a@127.0.0.1:${refusing.port}`]);
    apply([config("a", refusing, { token: "right" })]);
    expect(connection.circuit.state).toBe("closed");
    expect(await connection.call("who", {})).toBe(1);
    expect(states.size).toBe(0);
    apply([config("a", refusing, { token: "wrong" })]);
    await expect(connection.call("who", {})).rejects.toEqual(code("mcp_unavailable"));
    expect(states.size).toBe(1);
    apply([]);
    expect(states.size).toBe(0);
  });

  it("C1 connects to a server at once that wants it", async () => {
    const [one, two] = [await named("one"), await named("two")];
    const { apply } = start([]);
    apply([config("a", one, { eager: true })]);
    await vi.waitFor(() => expect(one.clients.size).toBe(1));
    apply([config("a", two, { eager: true })]);
    await vi.waitFor(() => expect(two.clients.size).toBe(1));
    await closed(one);
  });

  it("C1 ends a subscription at the server that was replaced, so that it is made at the new one", async () => {
    const one = await startModern();
    const two = await startModern();
    const { server, apply } = start([config("a", one)]);
    const { connection } = server("a");
    const listening = connection.exchange(
      { method: "subscriptions/listen", params: {} },
      { client: "c", signal: new AbortController().signal },
    );
    await vi.waitFor(() => expect(one.received.at(-1)?.method).toBe("subscriptions/listen"));
    apply([config("a", two)]);
    await expect(listening).rejects.toEqual(code("mcp_unavailable"));
    await closed(one);
  });

  it("C1 cannot be changed any more once it is closed, and takes those with it that were replaced", async () => {
    const [one, two, three] = [await named("one"), await named("two"), await named("three")];
    const { servers, server, apply } = start([config("a", one), config("b", three)]);
    const calls = ["a", "b"].map((name) => server(name).connection.call("slow", {}));
    const outcomes = Promise.allSettled(calls);
    await Promise.all([one.isAsked(), three.isAsked()]);
    apply([config("a", two)]);
    await servers.close();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "shutting_down" } });
    await Promise.all([closed(one), closed(two), closed(three)]);
    expect(() => apply([])).toThrow(expect.objectContaining({ code: "shutting_down" }));
  });
});

describe("a server that is restarted", () => {
  it("C1 answers what it was asked before, and has a new connection for all else", async () => {
    const one = await named("one");
    const { servers, server } = start([config("a", one)]);
    const { connection } = server("a");
    const before = connection.call("slow", {});
    await one.isAsked();
    servers.restart("a");
    expect(await connection.call("who", {})).toBe("one");
    expect(one.clients.size).toBe(2);
    one.letGo();
    expect(await before).toBe("one");
    await vi.waitFor(() => expect(one.clients.size).toBe(1));
    expect(() => servers.restart("b")).toThrow(expect.objectContaining({ code: "unknown_server" }));
  });
});

describe("a thousand changes under calls", () => {
  it("C1 fail no call, and leave no socket and no circuit", async () => {
    const [one, two] = [await named("one"), await named("two")];
    const { server, states, apply } = start([config("a", one), config("b", one)]);
    const [a, b] = [server("a").connection, server("b").connection];
    const answers: unknown[] = [];
    let isOver = false;
    const caller = async (connection: LiveConnection) => {
      while (!isOver) answers.push(await connection.call("who", {}));
    };
    const callers = [caller(a), caller(a), caller(a), caller(b)];
    for (let round = 1; round <= 1_000; round++) {
      apply([config("a", round % 2 ? two : one, { token: `t${round}` }), config("b", one)]);
      const enough = answers.length + 1;
      if (round % 3 === 0)
        await vi.waitFor(() => expect(answers.length).toBeGreaterThan(enough), { interval: 1 });
    }
    isOver = true;
    await Promise.all(callers);
    expect(new Set(answers)).toEqual(new Set(["one", "two"]));
    expect(await a.call("who", {})).toBe("one");
    // `b` was never touched, and `a` is at the first one last.
    await vi.waitFor(() => expect([one.clients.size, two.clients.size]).toEqual([2, 0]));
    expect(states.size).toBe(0);
    apply([]);
    await closed(one);
  });
});

/** It says what a test wants it to, and answers its calls when it is told to. */
async function startTalking() {
  let reply = () => {};
  const server = await startLineServer(
    mcpServer({
      slow: (_args, answer) => {
        reply = () => answer("replied");
      },
    }),
  );
  const say = (method: string) => {
    for (const client of server.clients) client.send({ jsonrpc: "2.0", method });
  };
  return { server, say, reply: () => reply() };
}

/** It knows the words of 2026 alone, and answers no subscription. */
const startModern = () =>
  startLineServer(({ id, method }, client: Client) => {
    const answer: McpAnswer =
      method === "server/discover"
        ? { result: { supportedVersions: ["2026-07-28"], capabilities: {} } }
        : { error: { code: -32601, message: "no" } };
    if (method !== "subscriptions/listen") client.send({ jsonrpc: "2.0", id, ...answer });
  });
