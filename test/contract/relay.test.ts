import { createHash, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import type { Client } from "./client.ts";
import { onEveryHost } from "./hosts.ts";

const rpc = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params });
const result = (id: unknown, value: unknown) => JSON.stringify({ jsonrpc: "2.0", id, result: value });
const idOf = (said: unknown): unknown => Object(said).id;
const answerTo = (client: Client, id: unknown) =>
  client.until(`answer ${id}`, () => client.rpc.find((said) => idOf(said) === id));
const hashOf = (data: Uint8Array | string) => createHash("sha256").update(data).digest("hex");
const READER = { permissions: ["relay:read" as const] };

onEveryHost("the relay in shared mode", ({ sidecar: { relay }, connect, gateway }, host) => {
  const texts = () => relay.said.map(({ data }) => String(data));

  it("R1 R3 passes JSON-RPC both ways over one link, and answers control frames itself", async () => {
    relay.hears = ({ data }, channel) => {
      const { id, method } = JSON.parse(String(data));
      relay.say(channel, result(id, [method, channel.client.id]));
    };
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect({ kind: "relay" })));
    for (const client of clients) client.send(rpc(7, "tools/list"));
    for (const client of clients) {
      const { client_id } = await client.next("welcome");
      expect(await answerTo(client, 7)).toEqual({ jsonrpc: "2.0", id: 7, result: ["tools/list", client_id] });
      expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    }
    expect(relay.dials).toHaveLength(1);
    expect(relay.said).toHaveLength(20);
  });

  it("R1 H4 leaves what it sends as it is, and refuses what is not for the orchestrator", async () => {
    const client = await connect({ kind: "relay" });
    const exact =
      '{ "jsonrpc":"2.0", "id": 12345678901234567890,"method":"é\\u00e9 \\/", "params":{"b":1.0,"1":2} }';
    client.sendRaw(exact);
    client.sendRaw(`[${exact}]`);
    await relay.until(() => relay.said.length === 2);
    expect(texts()).toEqual([exact, `[${exact}]`]);
    const refused = ["{", '{"type":"what"}', '{"jsonrpc":"1.0","id":1,"method":"m"}', new Uint8Array([1, 2])];
    for (const data of refused) {
      client.sendRaw(data);
      expect((await client.next("error")).message).toContain("Unknown message format");
    }
    expect(relay.said).toHaveLength(2);
  });

  it("R5 S8 is open to nobody without relay:read, with a scope, or with a role that it does not know", async () => {
    const refused = [
      { permissions: ["telemetry:read" as const, "tasks:read" as const] },
      { scope: { swarm_ids: ["s1"] } },
      { role: "stranger" },
    ];
    for (const identity of refused) {
      const client = await connect({ kind: "relay", identity });
      expect(await client.next("error")).toMatchObject({ code: "forbidden" });
      expect(await client.closed).toBe(4504);
    }
    const viewer = await connect({ kind: "relay", identity: READER, query: { mode: "dedicated" } });
    expect(await viewer.closed).toBe(4504);
    expect((await (await connect({ kind: "relay", query: { mode: "odd" } })).next("error")).code).toBe(
      "invalid_request",
    );
    expect(relay.opened).toEqual([]);
  });

  it("R5 keeps viewers to looking, and from them what is not for them", async () => {
    const viewer = await connect({ kind: "relay", identity: READER });
    expect((await viewer.next("welcome")).role).toBe("viewer");
    viewer.send(rpc(1, "tools/call", { name: "agent_spawn" }));
    expect(await answerTo(viewer, 1)).toMatchObject({ error: { code: -32003, data: { code: "forbidden" } } });
    viewer.send({ jsonrpc: "2.0", method: "hive/stop" });
    expect(await viewer.next("error")).toMatchObject({ code: "forbidden" });
    expect(await viewer.ask({ type: "create_task", task: "t" })).toMatchObject({ code: "forbidden" });
    viewer.send(rpc(2, "tools/list"));
    const said = await relay.until(() => relay.said.at(-1));
    expect(JSON.parse(String(said.data))).toMatchObject({ id: 2, method: "tools/list" });
    relay.say(said, JSON.stringify(rpc("theirs", "sampling/createMessage")));
    relay.say(said, '{"type":"log"}');
    relay.say(said, '{"jsonrpc":"2.0","method":"notifications/x"}');
    relay.say(said, result(2, "ok"));
    await answerTo(viewer, 2);
    expect(viewer.rpc.map((each) => Object(each).method ?? idOf(each))).toEqual([1, "notifications/x", 2]);
    await relay.until(() => texts().find((text) => text.includes('"theirs"') && text.includes('"error"')));
    expect(gateway().log()).toContain('"name":"tools/call:agent_spawn"');
  });

  it("R3 R5 lets viewers answer what they were asked, and nothing else", async () => {
    const viewer = await connect({ kind: "relay", identity: READER });
    const { channel } = await relay.until(() => relay.opened[0]);
    relay.say({ channel }, JSON.stringify(rpc("theirs", "ping")));
    await viewer.until("ping", () => viewer.rpc[0]);
    viewer.sendRaw(result("other", {}));
    expect(await viewer.next("error")).toMatchObject({ code: "forbidden" });
    viewer.sendRaw(result("theirs", {}));
    await relay.until(() => relay.said.length > 0);
    expect(texts()).toEqual([result("theirs", {})]);
  });

  it("R5 takes secrets out, both ways", async () => {
    const client = await connect({ kind: "relay" });
    client.send(rpc(1, "tools/call", { name: "login", arguments: { apiKey: "hunter2", user: "ada" } }));
    const said = await relay.until(() => relay.said[0]);
    expect(JSON.parse(String(said.data)).params.arguments).toEqual({ apiKey: "[redacted]", user: "ada" });
    relay.say(said, result(1, { text: "use Bearer abcdefghijklmnop", password: "x" }));
    expect(await answerTo(client, 1)).toMatchObject({
      result: { text: "use [redacted]", password: "[redacted]" },
    });
  });

  it("R5 slows a client that says too much, keeps the order, and ends it only when too much waits", async () => {
    const note = (n: number | string) => ({ jsonrpc: "2.0", method: "notifications/n", params: { n } });
    const numbers = () => texts().map((text) => JSON.parse(text).params.n);
    const [client, other] = [await connect({ kind: "relay" }), await connect({ kind: "relay" })];
    for (let i = 0; i < 3_000; i++) client.send(note(i));
    expect(await client.next("slowed")).toMatchObject({ messages_per_second: 500 });
    other.send(note("other"));
    await relay.until(() => numbers().includes("other"));
    expect(relay.said.length).toBeLessThan(3_000);
    await relay.until(() => relay.said.length === 3_001);
    expect(numbers().filter((n) => n !== "other")).toEqual(Array.from({ length: 3_000 }, (_, i) => i));
    expect(client.seen.filter(({ type }) => type === "slowed")).toHaveLength(1);
    for (let i = 0; i < 20_000; i++) client.send(note(i));
    // Deno breaks off a connection on which a frame comes after its close.
    expect(host.name === "deno" ? [4001, 1006] : [4001]).toContain(await client.closed);
  });

  it("R2 R4 tells of an interruption, holds what is said meanwhile, and delivers it once, in order", async () => {
    const client = await connect({ kind: "relay" });
    client.send(rpc(0, "ping"));
    const { channel } = await relay.until(() => relay.said[0]);
    const timestamp = Date.now();
    relay.tell({
      type: "notice",
      channel,
      notice: { type: "orchestrator_connected", state: "connected", timestamp },
    });
    await client.next("orchestrator_connected");
    relay.cut({ away: true });
    expect(await client.next("orchestrator_disconnected")).toMatchObject({ state: "interrupted" });
    expect(await client.next("orchestrator_disconnected")).toMatchObject({
      state: "reconnecting",
      attempt: 1,
    });
    for (let i = 1; i <= 100; i++) client.send(rpc(i, "ping"));
    relay.say({ channel }, result(0, "late"));
    await client.next("orchestrator_disconnected", ({ attempt = 0 }) => attempt >= 2);
    relay.back();
    await client.next("orchestrator_connected");
    await answerTo(client, 0);
    await relay.until(() => relay.said.length >= 101);
    expect(texts().map((text) => idOf(JSON.parse(text)))).toEqual(Array.from({ length: 101 }, (_, i) => i));
    expect(relay.opened).toHaveLength(1);
  });

  it("R4 gives every request that the sidecar forgot an error that says so, and goes on", async () => {
    const client = await connect({ kind: "relay" });
    for (const id of [1, "1", null]) client.send(rpc(id, "ping"));
    const { channel } = await relay.until(() => relay.said[2]);
    relay.say({ channel }, result(1, "ok"));
    await answerTo(client, 1);
    relay.restart();
    const errors = await client.until("two errors", () =>
      client.rpc.length === 3 ? client.rpc.slice(1) : undefined,
    );
    expect(errors).toMatchObject(
      ["1", null].map((id) => ({ id, error: { data: { code: "sidecar_unreachable" } } })),
    );
    expect(JSON.stringify(errors)).toContain("may have taken effect");
    client.send(rpc(2, "ping"));
    const said = await relay.until(() => relay.said[3]);
    expect(said.channel).toBeGreaterThan(channel);
    relay.say(said, result(2, "again"));
    expect(await answerTo(client, 2)).toMatchObject({ result: "again" });
  });

  it("R4 passes on what the sidecar refuses, by its id, and sends no more than the credit allows", async () => {
    relay.reads = false;
    const client = await connect({ kind: "relay" });
    const pad = "x".repeat(100_000);
    client.send(rpc(0, "hive/fill", { pad }));
    const { channel } = await relay.until(() => relay.said[0]);
    for (let i = 1; i < 60; i++) client.send(rpc(i, "hive/fill", { pad }));
    const refused = await client.until("error", () => client.rpc.find((said) => Object(said).error));
    expect(refused).toMatchObject({ error: { data: { code: "overloaded" } } });
    expect(relay.said.length).toBeLessThan(LIMITS.relayWindowBytes / 100_000 + 2);
    client.send({ jsonrpc: "2.0", method: "notifications/cancelled" });
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    const before = relay.said.length;
    relay.tell({ type: "refused", channel, id: "0", code: "circuit_open", message: "later" });
    expect(await answerTo(client, 0)).toMatchObject({ error: { message: "later" } });
    relay.tell({ type: "credit", channel, bytes: 10 * LIMITS.relayWindowBytes });
    await relay.until(() => relay.said.length > before + 30);
    expect(texts()[before]).toContain("notifications/cancelled");
  });

  it("R6 tells of a sidecar that is about to go", async () => {
    const client = await connect({ kind: "relay" });
    await relay.until(() => relay.opened[0]);
    relay.tell({ type: "goaway" });
    await client.next("orchestrator_disconnected", ({ state }) => state === "draining");
  });

  it("R4 S5 gives credit back only for what a client has read", async () => {
    const client = await connect({ kind: "relay" });
    const { channel } = await relay.until(() => relay.opened[0]);
    client.pause();
    const sentBytes = 15 * LIMITS.relayWindowBytes;
    // It would be compressed to nothing otherwise.
    const pad = randomBytes(128 * 1024).toString("hex");
    const data = JSON.stringify({ jsonrpc: "2.0", method: "m", params: { pad } });
    for (let bytes = 0; bytes < sentBytes; bytes += data.length) relay.say({ channel }, data);
    const other = await connect({ kind: "relay" });
    await relay.until(() => relay.credited > 0);
    expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    expect(relay.credited).toBeLessThan(sentBytes / 2);
    client.read();
    await relay.until(() => relay.credited > sentBytes - LIMITS.relayWindowBytes);
  });
});

onEveryHost("where the relay leads", ({ sidecar, gateway }) => {
  const path = "/v1/hives/default/relay/orchestrators";
  const answer = {
    orchestrators: [
      {
        ...{ url: "ws://one/ws", state: "idle", sessions: { shared: 0, dedicated: 0 }, pending: 0 },
        circuit: { state: "closed", since: 0, retry_at: null },
      },
    ],
  };
  const ask = async (body?: string, identity = {}) =>
    fetch(`${gateway().url}${path}`, {
      headers: { authorization: `Bearer ${await gateway().token(identity)}` },
      ...(body && { method: "PUT", body }),
    });

  it("R6 is told and changed by those who may, and checked first", async () => {
    sidecar.answer("GET /v1/relay/orchestrators", answer);
    sidecar.answer("PUT /v1/relay/orchestrators", answer);
    expect(await (await ask()).json()).toEqual(answer);
    expect(await (await ask('{"urls":["ws://one/ws"]}')).json()).toEqual(answer);
    expect(sidecar.asked.at(-1)).toMatchObject({ method: "PUT", body: { urls: ["ws://one/ws"] } });
    const refused = [await ask("{", {}), await ask('{"urls":[]}'), await ask('{"urls":["http://one"]}')];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400]);
    expect((await ask(undefined, { permissions: ["relay:read", "relay:write"] })).status).toBe(403);
    expect(sidecar.asked).toHaveLength(2);
  });
});

onEveryHost("the relay in dedicated mode", ({ sidecar: { relay }, connect }) => {
  const dedicated = (query: Record<string, string> = {}) =>
    connect({ kind: "relay", query: { mode: "dedicated", ...query } });

  it("R1 R3 passes every frame byte for byte, and nothing of its own", async () => {
    relay.hears = ({ data }, channel) => relay.say(channel, data);
    const client = await dedicated();
    const large = randomBytes(1024 * 1024);
    const frames = [
      "hello",
      '{"type":"heartbeat"}',
      '{"type":"ping"}',
      '{"password":"x"}',
      "",
      new Uint8Array(),
      large,
    ];
    for (const frame of frames) client.sendRaw(frame);
    await client.until("all", () => (client.raw.length >= frames.length ? true : undefined));
    expect(client.raw.map(hashOf)).toEqual(frames.map(hashOf));
    expect(client.raw.map((frame) => typeof frame)).toEqual(frames.map((frame) => typeof frame));
    expect(relay.opened).toMatchObject([{ mode: "dedicated" }]);
  });

  it("R1 passes close codes on, both ways", async () => {
    const [leaving, left] = [await dedicated(), await dedicated()];
    const [first, second] = await relay.until(() => relay.opened.length === 2 && relay.opened);
    leaving.close(4321);
    expect(await relay.until(() => relay.closed[0])).toMatchObject({ channel: first?.channel, code: 4321 });
    relay.tell({ type: "close", channel: second?.channel ?? 0, code: 4567, reason: "enough" });
    expect(await left.closed).toBe(4567);
  });

  it("R4 passes on what had to wait when its client closed", async () => {
    const client = await dedicated();
    await relay.until(() => relay.opened[0]);
    relay.cut({ away: true });
    for (let i = 0; i < 10; i++) client.sendRaw(`${i}`);
    client.close(4321);
    expect(await client.closed).toBe(4321);
    relay.back();
    expect(await relay.until(() => relay.closed[0])).toMatchObject({ code: 4321 });
    expect(relay.said.map(({ data }) => data)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
  });

  it("R4 ends when a frame may be missing, and says nothing else", async () => {
    const [quiet, told] = [await dedicated(), await dedicated({ notices: "1" })];
    for (const client of [quiet, told]) client.sendRaw("hello");
    await relay.until(() => relay.said.length === 2);
    relay.restart();
    expect(await Promise.all([quiet.closed, told.closed])).toEqual([4005, 4005]);
    expect(quiet.raw).toEqual([]);
    expect(told.raw.map((frame) => JSON.parse(String(frame)).state)).toContain("interrupted");
  });
});
