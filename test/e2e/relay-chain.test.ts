/** What the whole relay keeps when it is treated badly: a gateway on each host, a real sidecar, its link and its clients. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { seededRandom } from "../bench/rig/random.ts";
import { type Client, connect } from "../contract/client.ts";
import { startDemo } from "../support/demo.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { newSecret, type RunningGateway, startGateway } from "../support/gateway.ts";
import { portOf } from "../support/line-server.ts";
import { startRandomCuts } from "../support/random-cuts.ts";
import { startSidecar } from "../support/sidecar.ts";

const KEYS = { test: newSecret() };
const SEED = 4;
const MESSAGES = 10_000;
const PART = 500;

const hosts = [
  { host: "workerd", start: startGateway },
  { host: "deno", start: startDenoGateway },
];

describe.each(hosts)("the whole relay under strain, on $host", ({ start }) => {
  it("R1 R4 Q2 loses, doubles and reorders nothing of 10,000 messages while its link breaks at random", async () => {
    const demo = await startDemo({ faults: true });
    onTestFinished(() => demo.stop());
    const bytes = { leastBytes: 20_000, mostBytes: 800_000 };
    const way = await startRandomCuts(await sidecarBefore(demo.wsPort), {
      random: seededRandom(SEED),
      ...bytes,
    });
    onTestFinished(() => way.close());
    const gateway = await gatewayBefore(way.url, start);
    const [dedicated, ...shared] = await Promise.all([
      joined(gateway, "dedicated"),
      joined(gateway, "shared"),
      joined(gateway, "shared"),
    ]);

    const texts = Array.from({ length: MESSAGES }, (_, n) => `${n} ${"x".repeat(n % 150)}`);
    /** The demo answers with what it was given: of equal ids it can be seen whose they are. */
    const given = shared.map((_, place) => texts.map((_, n) => place * MESSAGES + n));
    await Promise.all([
      talk(dedicated, texts, () => dedicated.raw.length),
      ...shared.map((client, place) => {
        const calls = given[place]?.map((ms, id) => call(id, "demo_fault", { fault: "none", ms })) ?? [];
        return talk(client, calls, () => client.rpc.length);
      }),
    ]);
    expect(dedicated.raw).toEqual(texts);
    for (const [place, client] of shared.entries()) {
      const answers = client.rpc.map((said) => Object(said));
      expect(answers.map(({ id }) => id)).toEqual(texts.map((_, n) => n));
      expect(answers.map(({ result }) => result?.structuredContent.ms)).toEqual(given[place]);
    }
    expect(way.cuts()).toBeGreaterThan(10);
  });

  it("R3 R4 S5 keeps a client that does not read from holding up the others, and from losing anything unsaid", async () => {
    const gateway = await gatewayBefore(await sidecarBefore(await wordyOrchestrator()), start);
    const [slow, quick, dedicated] = await Promise.all([
      joined(gateway, "shared"),
      joined(gateway, "shared"),
      joined(gateway, "dedicated"),
    ]);
    slow.pause();
    // More than all the buffers on the way take.
    const asked = 300;
    for (let id = 0; id < asked; id++) slow.sendRaw(call(id, "long"));
    for (let id = 0; id < 300; id++) {
      quick.sendRaw(call(id, "short"));
      dedicated.sendRaw(call(id, "short"));
      await quick.until(`answer ${id}`, () => quick.rpc.length > id || undefined);
      await dedicated.until(`answer ${id}`, () => dedicated.raw.length > id || undefined);
    }
    expect(slow.rpc).toEqual([]);
    slow.read();
    await slow.until("an answer to each", () => slow.rpc.length === asked || undefined);
    const answers = slow.rpc.map((said) => Object(said));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(asked);
    const refused = answers.filter(({ error }) => error);
    expect(new Set(refused.map(({ error }) => error.data.code))).toEqual(new Set(["overloaded"]));
    const rest = answers.filter(({ result }) => result).map(({ id }) => id);
    expect(rest).toEqual(rest.toSorted((a, b) => a - b));
  });
});

const call = (id: number, name: string, args: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });

/** Says all of it, a part at a time: fewer than two parts wait for answers. `heard` is how much came back. */
async function talk(client: Client, all: readonly string[], heard: () => number): Promise<void> {
  for (let n = 0; n < all.length; n += PART) {
    await client.until(`answer ${n - PART}`, () => heard() > n - PART || undefined);
    for (const text of all.slice(n, n + PART)) client.sendRaw(text);
  }
  await client.until("the last answer", () => heard() >= all.length || undefined);
}

/** A sidecar before the orchestrator at this port. Its address. */
async function sidecarBefore(port: number): Promise<string> {
  const stateDir = mkdtempSync(join(tmpdir(), "hivegate-relay-"));
  const sidecar = await startSidecar({
    env: {
      SIDECAR_KEYS: JSON.stringify(KEYS),
      SIDECAR_STATE_DIR: stateDir,
      SWARM_EXECUTOR: "process",
      ENABLE_MCP_TELEMETRY: "false",
      ORCHESTRATOR_WS_URL: `ws://127.0.0.1:${port}/ws`,
      LOG_LEVEL: "warn",
    },
  });
  onTestFinished(async () => {
    await sidecar.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });
  return sidecar.url;
}

async function gatewayBefore(sidecarUrl: string, start: typeof startGateway): Promise<RunningGateway> {
  const gateway = await start({ sidecarUrl, keys: KEYS, env: { RELAY_MESSAGES_PER_SECOND: "100000" } });
  onTestFinished(async () => void (await gateway.kill("SIGKILL")));
  return gateway;
}

async function joined(gateway: RunningGateway, mode: "shared" | "dedicated"): Promise<Client> {
  const client = await connect(gateway.url, { token: await gateway.token(), kind: "relay", query: { mode } });
  onTestFinished(() => client.close());
  return client;
}

/** An orchestrator that answers at length when it is asked to. Its port. */
async function wordyOrchestrator(): Promise<number> {
  const http = createServer().listen(0, "127.0.0.1");
  await once(http, "listening");
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      const { id, params } = JSON.parse(String(data));
      const result = params.name === "long" ? "x".repeat(100_000) : "x";
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
    });
  });
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  return portOf(http);
}
