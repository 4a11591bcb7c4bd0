/**
 * A configuration that never rests: the file, the API and the older endpoints change it several times a second while clients call
 * tools and watch. Afterwards nothing of that is left. RELOAD_SOAK_MS=180000 goes on for three minutes, RELOAD_SOAK_SEED repeats one.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { HivegateStream } from "../../shared/client/stream.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { ConfigChanged } from "../../shared/protocol/config.ts";
import { Random } from "../simulation/random.ts";
import { type ConfigChain, type FileServers, startConfigChain } from "../support/config-chain.ts";
import {
  ChainClient,
  countsOf,
  Load,
  type McpChain,
  residentBytes,
  sidecarMetrics,
} from "../support/mcp-chain.ts";
import { overStdio } from "../support/scripted-mcp.ts";
import { startScripted } from "../support/scripted-process.ts";

const FOR_MS = Number(process.env.RELOAD_SOAK_MS) || 20_000;
const seed = Number(process.env.RELOAD_SOAK_SEED) || randomInt(1, 2 ** 31);
const RELOAD_EVERY_MS = 100;
const CALLERS = 20;
const WATCHING = 20;
const CALL_MS = 20_000;
const SETTLES = { timeout: 60_000, interval: 250 };
const API_KEY = "a-key-of-more-than-thirty-two-characters";
/** Connections that the gateway keeps for the next request, more or fewer by chance. */
const MORE_DESCRIPTORS = 10;
const MIB = 1024 * 1024;
/** What is still in use, which remembers each request for a minute: against replays. */
const MORE_HEAP_BYTES = 40 * MIB;
/** Garbage that is not collected yet included; it comes to 400 MiB within a minute, and stays there. */
const GATEWAY_BYTES = 600 * MIB;

const { name: _, ...scripted } = overStdio("one");

/** In place of the file: what stays, what changes, and what comes and goes. */
function serversOf(random: Random, places: readonly object[], still: object): FileServers {
  const place = () => random.pick(places) ?? still;
  const process = () => ({ ...scripted, env: { VERSION: String(random.between(1, 1_000_000)) } });
  const sometimes = random.some(["first", "second", "third", "fourth"]);
  return {
    still,
    moving: place(),
    process: random.chance(0.2) ? process() : { ...scripted, category: `c${random.between(1, 9)}` },
    ...Object.fromEntries(
      sometimes.map((name) => [
        name,
        { ...place(), disabled: random.chance(0.3), allowedTools: random.of(["*"], ["echo", "pid"]) },
      ]),
    ),
  };
}

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const childrenOf = (pid: number): number =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).length;

/** A picture of the heap is for nobody to see: all garbage is collected before it. */
const COLLECTS = "SIGUSR2";
const collecting = (folder: string) => `--heapsnapshot-signal=${COLLECTS} --diagnostic-dir=${folder}`;

/** What the sidecar's heap holds that is in use, roughly. */
async function heapBytes({ mcp }: McpChain, folder: string): Promise<number> {
  const pictures = () => readdirSync(folder).filter((name) => name.endsWith(".heapsnapshot"));
  process.kill(mcp.sidecar.pid, COLLECTS);
  await expect.poll(pictures, SETTLES).toHaveLength(1);
  const samples = await sidecarMetrics(mcp);
  for (const name of pictures()) rmSync(join(folder, name));
  return samples.find(({ name }) => name === "nodejs_heap_size_used_bytes")?.value ?? 0;
}

async function held(there: ConfigChain) {
  const { mcp, gateway } = there.chain;
  const samples = await sidecarMetrics(mcp);
  const timers = samples.find(
    ({ name, labels }) => name === "nodejs_active_resources" && labels.type === "Timeout",
  );
  return {
    descriptors: descriptorsOf(mcp.sidecar.pid),
    children: childrenOf(mcp.sidecar.pid),
    timers: timers?.value ?? 0,
    sidecarBytes: residentBytes(mcp.sidecar.pid) ?? 0,
    gatewayBytes: residentBytes(gateway.pid) ?? 0,
  };
}

/** Does it again and again, until it is told to stop; counts what came of it. */
function again(everyMs: number, act: (n: number) => Promise<string>) {
  const outcomes: Record<string, number> = {};
  let isOver = false;
  const ended = (async () => {
    for (let n = 0; !isOver; n++) {
      const outcome = await act(n);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await delay(everyMs);
    }
  })();
  const stop = async () => {
    isOver = true;
    await ended;
    return outcomes;
  };
  return stop;
}

const codeOf = (thrown: unknown): string => (thrown instanceof HivegateError ? thrown.code : String(thrown));

/** Makes, changes, restores and removes servers through the API, as several clients at once do. */
function apiWriter(
  { client: { configs } }: ConfigChain,
  random: Random,
  place: object,
): (n: number) => Promise<string> {
  return async () => {
    const name = `api-${random.between(1, 4)}`;
    try {
      const known = await configs.get(name).catch(() => null);
      const config = { ...place, category: `c${random.between(1, 99)}` };
      const last =
        known && random.chance(0.3) ? (await configs.history({ name, limit: 2 })).versions[1] : null;
      if (known && random.chance(0.3)) await configs.remove(name, known.revision);
      else if (known && last?.value) await configs.restore(name, last.revision, known.revision);
      else await configs.put(name, { config, enabled: random.chance(0.7) }, known?.revision ?? "none");
      return "ok";
    } catch (thrown) {
      return codeOf(thrown);
    }
  };
}

/** What the older system's clients ask, changes included. */
function olderClient(
  { chain: { gateway } }: ConfigChain,
  random: Random,
  url: string,
): () => Promise<string> {
  const ask = async (method: string, path: string, body?: object): Promise<string> => {
    const answer = await fetch(`${gateway.url}/api/v1/mcp/${path}`, {
      method,
      headers: { "x-api-key": API_KEY, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    await answer.text();
    return String(answer.status);
  };
  const server = () => ({
    name: `old-${random.between(1, 3)}`,
    server_type: "http",
    http_url: url,
    priority: random.between(1, 9),
  });
  return () =>
    random.of(
      () => ask("GET", "health"),
      () => ask("GET", "servers"),
      () => ask("POST", "servers", server()),
      () => ask("PUT", `servers/${server().name}`, { priority: random.between(1, 9) }),
      () => ask("POST", `servers/${server().name}/${random.of("stop", "restart")}`),
      () => ask("DELETE", `servers/${server().name}`),
      () => ask("POST", "tools/call", { server_name: "still", tool_name: "echo", arguments: {} }),
      () => ask("POST", "configure", { mcpServers: {} }),
    )();
}

it.skipIf(process.platform !== "linux")(
  `C1 C2 Q2 a configuration that changes all the time fails no call, drops nobody and leaves nothing, with seed ${seed}`,
  { timeout: FOR_MS + 180_000 },
  async () => {
    const random = new Random(seed);
    const processes = await Promise.all([startScripted(), startScripted(), startScripted()]);
    for (const { stop } of processes) onTestFinished(stop);
    const places = processes.map(({ port }) => ({ type: "tcp", host: "127.0.0.1", port }));
    const [still = {}] = places;
    const beginning: FileServers = { still, moving: still, process: scripted };
    const diagnostics = mkdtempSync(join(tmpdir(), "hivegate-heap-"));
    onTestFinished(() => rmSync(diagnostics, { recursive: true, force: true }));
    const there = await startConfigChain(beginning, {
      gateway: { MCP_REQUESTS_PER_SECOND: "100000", API_KEYS: JSON.stringify({ older: API_KEY }) },
      sidecar: { LOG_LEVEL: "error", NODE_OPTIONS: collecting(diagnostics) },
    });
    onTestFinished(there.stop);
    const { gateway } = there.chain;

    const heard: ConfigChanged[][] = [];
    const streams = await Promise.all(
      Array.from({ length: WATCHING }, async (_, n) => {
        const stream = new HivegateStream({
          ...{ baseUrl: gateway.url, hive: "default", token: await there.token() },
          mode: n % 2 === 0 ? "on_demand" : "normal",
        });
        const changes: ConfigChanged[] = [];
        heard.push(changes);
        stream.on("config_changed", (change) => changes.push(change));
        return stream;
      }),
    );
    onTestFinished(() => {
      for (const stream of streams) stream.close();
    });
    const revisions = () => streams.map(({ configRevision }) => configRevision);
    await expect.poll(() => revisions().every(Boolean), SETTLES).toBe(true);

    const callersOf = async (server: string, count: number) => {
      const url = `${gateway.url}/mcp/${server}`;
      return Promise.all(
        Array.from({ length: count }, async (_, n) => {
          return new ChainClient(n % 2 === 0 ? "2025" : "2026", { url, token: await there.token() });
        }),
      );
    };
    const loads = await Promise.all(
      ["still", "moving", "process", "first"].map(async (server) => {
        return new Load(await callersOf(server, CALLERS / 4), { limitMs: CALL_MS });
      }),
    );
    // What both hold at work is known after some of it.
    await delay(2_000);
    const before = { ...(await held(there)), heapBytes: await heapBytes(there.chain, diagnostics) };

    const api = again(100, apiWriter(there, random, places[1] ?? still));
    const older = again(100, olderClient(there, random, "http://127.0.0.1:1/mcp"));
    const reloads = again(RELOAD_EVERY_MS, async () => {
      there.write(serversOf(random, places, still));
      return "written";
    });
    await delay(FOR_MS);
    const outcomes = { reloads: await reloads(), api: await api(), older: await older() };

    // As it was, so that what is left over is seen.
    there.write(beginning);
    await there.client.configs.reload();
    for (const { name, revision } of (await there.client.configs.list()).configs)
      if (!(name in beginning)) await there.client.configs.remove(name, revision);
    const { revision, servers, last_error } = await there.client.configs.status();
    expect([servers, last_error]).toEqual([3, null]);
    await expect.poll(revisions, SETTLES).toEqual(streams.map(() => revision));

    await expect.poll(async () => (await held(there)).children, SETTLES).toBeLessThanOrEqual(before.children);
    await expect
      .poll(async () => (await held(there)).descriptors, SETTLES)
      .toBeLessThanOrEqual(before.descriptors + MORE_DESCRIPTORS);
    const after = { ...(await held(there)), heapBytes: await heapBytes(there.chain, diagnostics) };
    for (const load of loads) await load.stop();
    const [onStill, onMoving, onProcess, onFirst] = loads.map(({ tried }) => countsOf(tried));
    console.info(`${FOR_MS} ms, revision ${revision}, ${heard[0]?.length} changes heard of`, outcomes);
    console.info("calls:", { onStill, onMoving, onProcess, onFirst });
    console.info("held before and after:", before, after);

    expect([onStill, onMoving, onProcess].flatMap((counts) => Object.keys(counts ?? {}))).toEqual([
      "ok",
      "ok",
      "ok",
    ]);
    const allowed = ["ok", "unknown_server", "not_found"];
    expect(Object.keys(onFirst ?? {}).filter((outcome) => !allowed.includes(outcome))).toEqual([]);
    expect(
      Object.keys(outcomes.api).filter((code) => code !== "ok" && code !== "precondition_failed"),
    ).toEqual([]);
    expect(Object.keys(outcomes.older).filter((status) => !["200", "400", "404"].includes(status))).toEqual(
      [],
    );

    // Each of them heard of each change once, and of the same ones.
    const told = heard.map((changes) => changes.map((change) => change.revision));
    for (const each of told) expect(each).toEqual(told[0]);
    expect(new Set(told[0]).size).toBe(told[0]?.length);
    expect(after.timers - before.timers).toBeLessThanOrEqual(5);
    expect(after.heapBytes - before.heapBytes).toBeLessThan(MORE_HEAP_BYTES);
    expect(after.gatewayBytes).toBeLessThan(GATEWAY_BYTES);
  },
);
