/** Faults of each part of the whole way of a call, under 32 calls at a time by clients of both eras. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import {
  ChainClient,
  countsOf,
  Load,
  type McpChain,
  type Outcome,
  startMcpChain,
  type Tried,
} from "../support/mcp-chain.ts";
import { overStdio } from "../support/scripted-mcp.ts";
import { type ScriptedProcess, startScripted } from "../support/scripted-process.ts";

const CALLS = 1_000;
const AT_ONCE = 32;
/** It is over when so many calls in a row went well. */
const WELL_AGAIN = 200;
/** What the sidecar gives a call, and what a busy machine may add. */
const LIMIT_MS = LIMITS.mcpExchangeMs + 5_000;
/** Who waits for a server that hangs waits for twice this at least: for a connection, or for an answer. */
const WAITS_MS = LIMITS.mcpConnectTimeoutMs / 2;
/** Whoever does harm does not wait for an answer. */
const HARM_MS = 3_000;
const WITHIN = { timeout: 50_000, interval: 5 };

const Tools = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });

let dir: string;
let toolsFile: string;
let processes: ScriptedProcess[];
let chain: McpChain;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "hivegate-faults-"));
  toolsFile = join(dir, "tools");
  await writeFile(toolsFile, "echo\npid\n");
  processes = await Promise.all([startScripted(), startScripted()]);
  const [tcp, other] = processes.map(({ port }) => ({ host: "127.0.0.1", port }));
  chain = await startMcpChain([
    { name: "tcp", ...tcp },
    { name: "other", ...other },
    { ...overStdio("stdio"), env: { SCRIPTED_TOOLS: toolsFile } },
  ]);
});
afterAll(async () => {
  await chain?.stop();
  await Promise.all((processes ?? []).map((each) => each.stop()));
  await rm(dir, { recursive: true, force: true });
});

/** Of both eras by turns, each with a subject of its own. */
async function clientsOf(server: string, count: number): Promise<ChainClient[]> {
  const url = `${chain.gateway.url}/mcp/${server}`;
  const tokens = await Promise.all(Array.from({ length: count }, () => chain.gateway.token()));
  return tokens.map((token, n) => new ChainClient(n % 2 === 0 ? "2025" : "2026", { url, token }));
}

/** At least `CALLS` calls with the fault in their middle, until all is well again, and another server's beside them. */
async function callsAround<T>(server: string, fault: (load: Load) => Promise<T>) {
  const [clients, others] = await Promise.all([clientsOf(server, 8), clientsOf("other", 2)]);
  const load = new Load(clients, { atOnce: AT_ONCE, limitMs: LIMIT_MS });
  const other = new Load(others, { limitMs: LIMIT_MS });
  await vi.waitUntil(() => load.tried.length >= CALLS / 2, WITHIN);
  const answered = other.tried.length;
  const came = await fault(load);
  const isWell = () => load.tried.slice(-WELL_AGAIN).every(({ outcome }) => outcome === "ok");
  await vi.waitUntil(() => load.tried.length >= CALLS && isWell(), WITHIN);
  await Promise.all([load.stop(), other.stop()]);
  return {
    fault: came,
    outcomes: countsOf(load.tried),
    longestMs: longestOf(load.tried),
    other: other.tried.slice(answered),
  };
}

type Around = Awaited<ReturnType<typeof callsAround>>;

const longestOf = (tried: readonly Tried[]): number => Math.max(...tried.map(({ ms }) => ms));

/** What a call may end with while its server fails: it says that, and whether to come again. */
const CLEAR: ReadonlySet<string> = new Set(["ok", "mcp_unavailable", "circuit_open", "timeout"]);

const unclear = (outcomes: Around["outcomes"], clear: ReadonlySet<string> = CLEAR): string[] =>
  Object.keys(outcomes).filter((outcome) => !clear.has(outcome));

/** None of another server's calls failed, and none waited for the one that failed. */
function expectUntouched(tried: readonly Tried[]): void {
  expect(countsOf(tried)).toEqual({ ok: tried.length });
  expect(tried.length).toBeGreaterThan(10);
  expect(longestOf(tried)).toBeLessThan(WAITS_MS);
}

/** Calls a tool that does harm, and does not wait for long. */
const harm = async (server: string, tool: string): Promise<Outcome> => {
  const [client] = await clientsOf(server, 1);
  return client ? client.call(tool, {}, HARM_MS) : "gone";
};

describe.each(["tcp", "stdio"])("around a fault of a server over %s", (server) => {
  it.each([
    ["writes garbage", "noise"],
    ["answers twice", "twice"],
    ["answers under a wrong id", "wrong_id"],
    ["writes 50 MB without an end", "huge"],
    server === "stdio" ? ["dies in the middle of its calls", "die"] : ["hangs up", "drop"],
  ])(
    "Q2 T8 that %s each call ends with its own answer or a clear error, and another server's go on",
    async (_what, tool) => {
      const { fault, outcomes, longestMs, other } = await callsAround(server, () => harm(server, tool));
      expect(unclear(outcomes)).toEqual([]);
      expect(longestMs).toBeLessThan(LIMIT_MS);
      expectUntouched(other);
      // What a server says beside its answers, or twice, or to nobody, is no trouble for anybody's call.
      if (["noise", "twice", "wrong_id"].includes(tool)) expect(Object.keys(outcomes)).toEqual(["ok"]);
      if (tool === "wrong_id") expect(fault).toBe("left");
      if (["die", "drop", "huge"].includes(tool)) expect(fault).toBe("mcp_unavailable");
    },
  );
});

describe("around a server's process", () => {
  const pidOf = async () => {
    const [, client] = await clientsOf("stdio", 2);
    return z.number().parse(await client?.data("pid"));
  };

  /** Each worker has a call that waits: nothing came while another server answered so many. */
  const nothingMoves = async (load: Load) => {
    const [client] = await clientsOf("other", 1);
    for (let answered = load.tried.length, calls = 0; calls < 200; calls++) {
      expect(await client?.call("echo", { calls }, LIMIT_MS)).toBe("ok");
      if (load.tried.length > answered) [answered, calls] = [load.tried.length, 0];
    }
  };

  it("Q2 T8 that is frozen for a while its calls wait, nobody else's do, and all are answered", async () => {
    const pid = await pidOf();
    const { outcomes, other } = await callsAround("stdio", async (load) => {
      process.kill(pid, "SIGSTOP");
      await nothingMoves(load);
      process.kill(pid, "SIGCONT");
    });
    expect(Object.keys(outcomes)).toEqual(["ok"]);
    expectUntouched(other);
    expect(await pidOf()).toBe(pid);
  });

  it("Q2 T2 that is killed in the middle of its calls and comes again with other tools, all end, and lists show those", async () => {
    const pid = await pidOf();
    const [legacy, modern] = await clientsOf("stdio", 2);
    const names = async (client: ChainClient | undefined) =>
      Tools.parse(await (await client?.post("tools/list", {}))?.json()).result.tools.map(({ name }) => name);
    expect(await names(legacy)).toEqual(["echo", "pid"]);
    const { outcomes, longestMs, other } = await callsAround("stdio", async (load) => {
      await writeFile(toolsFile, "pid\nenv\necho\n");
      process.kill(pid, "SIGSTOP");
      await nothingMoves(load);
      process.kill(pid, "SIGKILL");
    });
    expect(unclear(outcomes)).toEqual([]);
    expect(outcomes.mcp_unavailable).toBeGreaterThanOrEqual(AT_ONCE);
    expect(longestMs).toBeLessThan(LIMIT_MS);
    expectUntouched(other);
    expect(await pidOf()).not.toBe(pid);
    for (const client of [legacy, modern]) expect(await names(client)).toEqual(["pid", "env", "echo"]);
  });
});

describe("around a part of Hivegate itself", () => {
  const ours = (...also: Outcome[]) => new Set([...CLEAR, ...also]);

  it("Q2 T8 sessions are over with the sidecar that is killed, and all calls go on with the next one", async () => {
    const { outcomes, longestMs } = await callsAround("tcp", async () => {
      await chain.mcp.sidecar.kill("SIGKILL");
      await chain.restartSidecar();
    });
    // A session of before is not known to the next one: `not_found`.
    expect(unclear(outcomes, ours("sidecar_unreachable", "not_found"))).toEqual([]);
    expect(outcomes.sidecar_unreachable).toBeGreaterThan(0);
    expect(outcomes.not_found).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(WAITS_MS);
  });

  it("Q2 T1 sessions outlive the gateway that is killed", async () => {
    const [client] = await clientsOf("tcp", 1);
    const session = await client?.session();
    const { outcomes, longestMs } = await callsAround("tcp", async () => {
      await chain.gateway.kill("SIGKILL");
      await chain.restartGateway();
    });
    // Nobody answers while it is away: that is `gone`.
    expect(unclear(outcomes, ours("gone"))).toEqual([]);
    expect(outcomes.gone).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(WAITS_MS);
    expect(await client?.call("echo", { text: "again" }, LIMIT_MS)).toBe("ok");
    expect(await client?.session()).toBe(session);
  });
});
