/** What streams, tasks, health and metrics of a real sidecar make of a file of MCP servers that changes. */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { ConfigStatus } from "../../shared/protocol/config.ts";
import {
  CreateTaskResult,
  DiscoveryAnswer,
  HybridHealth,
  TaskAnswer,
  TelemetryLine,
} from "../../shared/protocol/sidecar.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { lineCall } from "../support/line-call.ts";
import { samplesIn } from "../support/metrics.ts";
import { type Sidecar, SidecarDidNotStart, signedFetch, startSidecar } from "../support/sidecar.ts";

const SOON = { timeout: 10_000, interval: 10 };
/** Long enough to be interrupted, on a fast machine too. */
const LONG = "count primes below 20000000";

let demos: [one: Demo, two: Demo];
/** Both have agents for as long as the tests run. */
beforeAll(async () => {
  demos = await Promise.all([startDemo({ lingerMs: 600_000 }), startDemo({ lingerMs: 600_000 })]);
  const task = { task: "count primes below 1000", priority: "low" };
  for (const { mcpPort } of demos)
    await lineCall(mcpPort, "tools/call", { name: "task_orchestrate", arguments: task });
});
afterAll(() => Promise.all(demos.map((demo) => demo.stop())));

const entryOf = ({ mcpPort: port }: Demo, more: object = {}) => ({
  ...{ type: "tcp", host: "127.0.0.1", port, profile: "demo" },
  ...more,
});

/** A place for a file and for what a sidecar keeps. */
function place() {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-e2e-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, ".mcp.json");
  /** As editors do it: a new file in the place of the old one. */
  const write = (text: string) => {
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  };
  const servers = (mcpServers: object) => write(JSON.stringify({ mcpServers }));
  const env = { SIDECAR_STATE_DIR: join(directory, "state"), MCP_CONFIG_FILE: path };
  return { path, write, servers, env };
}

async function start(env: Record<string, string>): Promise<Sidecar> {
  const sidecar = await startSidecar({ env: { SWARM_EXECUTOR: "process", ...env } });
  onTestFinished(() => sidecar.stop());
  return sidecar;
}

/** Someone who reads the stream until the test ends. */
async function follow({ url }: Sidecar) {
  const { body } = await signedFetch(`${url}/v1/telemetry?reader=${randomUUID()}&intervalMs=50&config=1`);
  if (!body) throw new Error("there is no stream");
  const picture = new Picture();
  const seen = { gaps: 0, snapshots: 0, isOpen: true, changes: [] as object[] };
  const lines = readLines(body, new LineSplitter(LIMITS.telemetryLineBytes));
  void (async () => {
    for await (const text of lines) {
      const line = TelemetryLine.parse(JSON.parse(text));
      if (line.type === "config_changed") seen.changes.push(line);
      if (line.type === "snapshot") seen.snapshots++;
      if (picture.apply(line) === "gap") seen.gaps++;
    }
    seen.isOpen = false;
  })().catch(() => {
    seen.isOpen = false;
  });
  const pools = () => [...new Set([...picture.agents.values()].map(({ server }) => server))].sort();
  const servers = () => picture.servers.map(({ server, status }) => `${server} ${status}`);
  return { picture, seen, pools, servers };
}

const read = async ({ url }: Sidecar, path: string) => (await signedFetch(`${url}${path}`)).json();
const statusOf = async (sidecar: Sidecar) => ConfigStatus.parse(await read(sidecar, "/api/v1/mcp/status"));

const create = ({ url }: Sidecar, taskId: string = randomUUID()) =>
  signedFetch(`${url}/v1/tasks`, {
    body: {
      ...{ taskId, task: LONG, priority: "Low", verbose: false, timeoutMs: 600_000, client: "a client" },
    },
  });

describe("a file of MCP servers that changes", () => {
  it("C1 S3 a server's agents come and go with it within a second or so, and no reader is dropped", async () => {
    const { servers: write, env } = place();
    const [one, two] = demos;
    write({ one: entryOf(one) });
    const sidecar = await start(env);
    const readers = await Promise.all(Array.from({ length: 5 }, () => follow(sidecar)));
    const until = (pools: string[]) =>
      vi.waitFor(() => {
        for (const reader of readers) expect(reader.pools()).toEqual(pools);
      }, SOON);
    await until(["one"]);
    const timed = async (change: () => void, pools: string[]) => {
      const beganMs = performance.now();
      change();
      await until(pools);
      return Math.round(performance.now() - beganMs);
    };
    const took = [
      await timed(() => write({ one: entryOf(one), two: entryOf(two) }), ["one", "two"]),
      await timed(() => write({ two: entryOf(two) }), ["two"]),
      await timed(() => write({ two: entryOf(two, { enabled: false }) }), []),
      await timed(() => write({ two: entryOf(two), one: entryOf(one) }), ["one", "two"]),
    ];
    // A second is promised; the rest is what a busy machine may add.
    for (const tookMs of took) expect(tookMs).toBeLessThan(3_000);
    for (const { seen, servers } of readers) {
      expect(seen).toMatchObject({ gaps: 0, snapshots: 1, isOpen: true });
      expect(seen.changes).toHaveLength(4);
      expect(seen.changes[0]).toMatchObject({ added: ["two"], changed: [], removed: [] });
      expect(servers().toSorted()).toEqual(["one available", "two available"]);
    }
    console.log(`a changed file was seen by all readers after ${took.join(", ")} ms`);
  });

  it("C1 S3 a server that is replaced keeps its agents in the picture until it tells of its own", async () => {
    const { servers: write, env } = place();
    const [one, two] = demos;
    write({ swarm: entryOf(one) });
    const sidecar = await start(env);
    const reader = await follow(sidecar);
    const ids = () => [...reader.picture.agents.keys()].toSorted();
    await vi.waitFor(() => expect(ids().length).toBeGreaterThan(0), SOON);
    const before = ids();
    const sizes = new Set<number>();
    const watching = setInterval(() => sizes.add(ids().length), 1);
    write({ swarm: entryOf(two) });
    await vi.waitFor(() => {
      expect(ids().length).toBeGreaterThan(0);
      expect(before.some((id) => ids().includes(id))).toBe(false);
    }, SOON);
    clearInterval(watching);
    expect(sizes).not.toContain(0);
    expect(reader.seen).toMatchObject({ gaps: 0, snapshots: 1, isOpen: true });
  });

  it("C1 H6 H7 H10 discovery, health and metrics know the servers of the moment", async () => {
    const { servers: write, env } = place();
    const [one, two] = demos;
    write({ one: entryOf(one) });
    const sidecar = await start({ ...env, METRICS_TOKEN: "a-token-for-this-test" });
    await follow(sidecar);
    const known = async () => {
      const { mcp } = DiscoveryAnswer.parse(await read(sidecar, "/v1/discovery"));
      const { components } = HybridHealth.parse(await read(sidecar, "/v1/health"));
      const metrics = await fetch(`${sidecar.url}/metrics`, {
        headers: { authorization: "Bearer a-token-for-this-test" },
      });
      const samples = samplesIn(await metrics.text());
      const named = samples.flatMap(({ labels }) => labels.server ?? labels.pool ?? labels.dependency ?? []);
      return {
        pinged: mcp.servers.map(({ server, status }) => `${server} ${status}`),
        checked: components.mcp_telemetry.mcp_services
          .map(({ service }) => service)
          .filter((service) => service.startsWith("mcp:")),
        measured: [...new Set(named.map((name) => name.replace("mcp:", "")))].filter((name) =>
          ["one", "two"].includes(name),
        ),
      };
    };
    const just = (name: string) => ({
      ...{ pinged: [`${name} available`], checked: [`mcp:${name}`], measured: [name] },
    });
    await vi.waitFor(async () => expect(await known()).toEqual(just("one")), SOON);
    write({ two: entryOf(two) });
    await vi.waitFor(async () => expect(await known()).toEqual(just("two")), SOON);
  });

  it("C1 a bad file changes nothing, and the status says where it is bad", async () => {
    const { write, servers, env } = place();
    servers({ one: entryOf(demos[0]) });
    const sidecar = await start(env);
    const reader = await follow(sidecar);
    await vi.waitFor(() => expect(reader.pools()).toEqual(["one"]), SOON);
    write('{"mcpServers": {\n  "two": {"type": "tcp", "port": 99999999}\n}}');
    await vi.waitFor(async () => expect((await statusOf(sidecar)).file?.state).toBe("refused"), SOON);
    expect(await statusOf(sidecar)).toMatchObject({ revision: 1, servers: 1, last_error: { line: 2 } });
    expect(reader.servers()).toEqual(["one available"]);
    expect(reader.seen).toMatchObject({ gaps: 0, changes: [], isOpen: true });
  });
});

describe("tasks that a server of the file does", () => {
  const byServers = { ENABLE_DOCKER_PRIMARY: "false", ENABLE_DOCKER_FALLBACK: "false" };

  it("C1 H3 H8 while there is none, they are refused and the log says so; then they are taken", async () => {
    const { servers: write, env } = place();
    write({});
    const sidecar = await start({ ...env, ...byServers, LOG_LEVEL: "warn" });
    const refused = await create(sidecar);
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({
        code: "mcp_unavailable",
        message: expect.stringContaining("no MCP server that can is configured"),
      }),
    ]);
    expect(sidecar.output()).toContain("no MCP server that takes tasks is configured");
    write({ one: entryOf(demos[0]) });
    await vi.waitFor(async () => expect((await statusOf(sidecar)).servers).toBe(1), SOON);
    const taken = await create(sidecar);
    expect(taken.status).toBe(200);
    expect(CreateTaskResult.parse(await taken.json()).task.method).toBe("mcp-fallback");
  });

  it("C1 H9 a task is followed again after kill -9, and lost, with the reason, when its server is taken away", async () => {
    const { servers: write, env } = place();
    write({ one: entryOf(demos[0]) });
    const first = await start({ ...env, ...byServers });
    const taskId = randomUUID();
    expect((await create(first, taskId)).status).toBe(200);
    await first.kill("SIGKILL");
    const second = await start({ ...env, ...byServers });
    const task = async () => TaskAnswer.parse(await read(second, `/v1/tasks/${taskId}`)).task;
    expect((await task()).state).toBe("running");
    write({});
    await vi.waitFor(async () => expect((await task()).state).toBe("lost"), {
      timeout: 20_000,
      interval: 50,
    });
    expect((await task()).error?.message).toContain("no longer configured");
  });
});

describe("a sidecar that cannot open what is kept", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["its own database", {}, /^sidecar: SIDECAR_STATE_DIR: .*not a database$/m],
    [
      "the older system's",
      { MCP_OLD_DATABASE: "postgres://user:a-secret@127.0.0.1:1/old" },
      /^sidecar: MCP_OLD_DATABASE: .*nobody answers/m,
    ],
  ])("C3 C4 H8 does not start without %s, and names the variable", async (_, more, words) => {
    const { env } = place();
    mkdirSync(env.SIDECAR_STATE_DIR);
    if (!more.MCP_OLD_DATABASE) writeFileSync(join(env.SIDECAR_STATE_DIR, "configs.db"), "x".repeat(4_096));
    const failure = await start({ ...env, ...more }).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ exitCode: 1, output: expect.stringMatching(words) });
    expect(failure).not.toHaveProperty("output", expect.stringContaining("a-secret"));
  });
});

describe("a sidecar that starts with a bad file", () => {
  const BAD = '{"mcpServers": {\n  "one": {"type": "tcp", "port": 0}\n}}';

  it("C1 does not, when it has nothing else to go on with, and says where the file is bad", async () => {
    const { path, write, env } = place();
    write(BAD);
    const failure = await start(env).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(SidecarDidNotStart);
    expect(failure).toHaveProperty("output", expect.stringMatching(/^sidecar: \S+:2:\d+: /m));
    expect(failure).toHaveProperty("output", expect.stringContaining(`sidecar: ${path}:2:`));
  });

  it("C1 C3 goes on with what it knows, and says so in its log and its status", async () => {
    const { write, servers, env } = place();
    servers({ one: entryOf(demos[0]) });
    await (await start(env)).stop();
    write(BAD);
    const sidecar = await start({ ...env, LOG_LEVEL: "warn" });
    const reader = await follow(sidecar);
    await vi.waitFor(() => expect(reader.pools()).toEqual(["one"]), SOON);
    expect(await statusOf(sidecar)).toMatchObject({ file: { state: "refused" }, last_error: { line: 2 } });
    expect(sidecar.output()).toContain("The file of MCP servers is refused");
  });
});
