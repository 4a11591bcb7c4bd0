/** The relay in front of claude-flow's own WebSocket server, which needs no container for that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { pause, platformClock } from "../../shared/clock.ts";
import { installedClaudeFlow } from "../support/claude-flow.ts";
import { dockerAvailable } from "../support/docker.ts";
import { freePort } from "../support/free-port.ts";
import { TestLink, type TestSession } from "../support/relay-link.ts";
import { startSidecar } from "../support/sidecar.ts";

const WITHIN_MS = 30_000;
const INITIALIZE = {
  protocolVersion: "2024-11-05",
  clientInfo: { name: "test", version: "1.0.0" },
  capabilities: {},
};
const Answer = z.object({ id: z.literal(1), error: z.object({ message: z.string() }) });
const STATUS = { name: "swarm_status", arguments: {} };

describe.skipIf(!(await dockerAvailable()))("the relay with claude-flow 3.43", () => {
  const home = mkdtempSync(join(tmpdir(), "hivegate-claude-flow-"));
  let cli: string;
  let port: number;
  beforeAll(async () => {
    cli = join(await installedClaudeFlow(), "claude-flow/bin/cli.js");
    port = await freePort();
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  async function startClaudeFlow(): Promise<{ kill(): Promise<void> }> {
    const child = spawn(process.execPath, [cli, "mcp", "start", "-t", "websocket", "-p", String(port)], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(child, "exit");
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    await vi.waitUntil(() => said.includes("MCP Server started"), WITHIN_MS);
    const kill = async () => {
      child.kill("SIGKILL");
      await exited;
    };
    onTestFinished(kill);
    return { kill };
  }

  async function openLink(): Promise<TestLink> {
    const stateDir = mkdtempSync(join(tmpdir(), "hivegate-relay-"));
    const sidecar = await startSidecar({
      env: {
        SWARM_EXECUTOR: "process",
        SIDECAR_STATE_DIR: stateDir,
        ENABLE_MCP_TELEMETRY: "false",
        ORCHESTRATOR_WS_URL: `ws://127.0.0.1:${port}/ws`,
        ORCHESTRATOR_RETRY_BASE_MS: "100",
        ORCHESTRATOR_RETRY_MAX_MS: "500",
        // However long claude-flow takes to start.
        ORCHESTRATOR_RETRY_TRIES: "1000",
        LOG_LEVEL: "warn",
      },
    });
    const link = new TestLink(sidecar.url);
    onTestFinished(async () => {
      link.close();
      await sidecar.stop();
      rmSync(stateDir, { recursive: true, force: true });
    });
    return link.up();
  }

  /** Claude-flow takes 50 requests a second of one connection, whoever asks: the client whose is refused asks again. */
  async function answerTo(session: TestSession, method: string): Promise<z.infer<typeof Answer>> {
    for (let asked = 1; ; asked++) {
      session.ask(1, method);
      const answers = await session.got(asked);
      const answer = Answer.parse(JSON.parse(answers.at(-1) ?? ""));
      if (answer.error.message !== "Rate limit exceeded") return answer;
      await pause(platformClock, 1_000);
    }
  }

  it("R3 gives a hundred clients that ask with the same id at once their own answers", async () => {
    await startClaudeFlow();
    const link = await openLink();
    const sessions = Array.from({ length: 100 }, () => link.open());
    sessions[0]?.ask(1, "initialize", INITIALIZE);
    await sessions[0]?.got(1);
    const answers = await Promise.all(
      sessions.slice(1).map((session, n) => answerTo(session, `no/such-${n}`)),
    );
    expect(answers).toEqual(
      answers.map((_, n) => ({ id: 1, error: { message: `Method not found: no/such-${n}` } })),
    );
    expect(sessions.flatMap(({ refused }) => refused)).toEqual([]);
  });

  it("R3 answers a batch by a batch, though claude-flow knows none", async () => {
    await startClaudeFlow();
    const session = (await openLink()).open();
    session.ask(0, "initialize", INITIALIZE);
    await session.got(1);
    const ping = { jsonrpc: "2.0", method: "ping" };
    session.send(
      JSON.stringify([
        { ...ping, id: 1 },
        { ...ping, id: "1" },
        { ...ping, id: null },
      ]),
    );
    const answers = JSON.parse((await session.got(2))[1] ?? "");
    expect(answers.map(({ id }: { id: unknown }) => id)).toEqual(expect.arrayContaining([1, "1", null]));
    expect(answers).toHaveLength(3);
  });

  it("R4 comes back to a claude-flow that was killed, and initialises it again by itself", async () => {
    const { kill } = await startClaudeFlow();
    const session = (await openLink()).open();
    session.ask(1, "initialize", INITIALIZE);
    session.ask(2, "tools/call", STATUS);
    await session.got(2);
    await kill();
    await session.reached("reconnecting");
    session.ask(3, "tools/call", STATUS);
    await startClaudeFlow();

    const answers = await session.got(3);
    expect(JSON.parse(answers[2] ?? "")).toMatchObject({ id: 3, result: { isError: false } });
  });

  it("R1 passes its answers through a dedicated connection byte for byte", async () => {
    await startClaudeFlow();
    const session = (await openLink()).open("dedicated");
    session.send("hello");
    expect(await session.got(1)).toEqual([
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
    ]);
  });
});
