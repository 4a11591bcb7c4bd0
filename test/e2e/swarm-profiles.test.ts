import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { CreateTaskResult, SwarmList, TaskAnswer } from "../../shared/protocol/sidecar.ts";
import { startDemo } from "../support/demo.ts";
import { type Sidecar, SidecarDidNotStart, signedFetch, startSidecar } from "../support/sidecar.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const WAIT = { timeout: 20_000, interval: 50 };

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-e2e-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function sidecar(env: Record<string, string>): Promise<Sidecar> {
  const started = await startSidecar({
    env: { SWARM_EXECUTOR: "process", ENABLE_MCP_TELEMETRY: "false", ENABLE_MCP_FALLBACK: "false", ...env },
  });
  onTestFinished(() => started.stop());
  return started;
}

async function create(url: string, text: string): Promise<CreateTaskResult> {
  const body = { taskId: randomUUID(), task: text, priority: "High", verbose: false };
  const answer = await signedFetch(`${url}/v1/tasks`, {
    body: { ...body, timeoutMs: 60_000, client: "test" },
  });
  return CreateTaskResult.parse(await answer.json());
}

const post = (url: string, taskId: string, control: string) =>
  signedFetch(`${url}/v1/tasks/${taskId}/${control}`, { method: "POST" });
const taskAt = async (url: string, taskId: string) =>
  TaskAnswer.parse(await (await signedFetch(`${url}/v1/tasks/${taskId}`)).json()).task;
const swarmsAt = async (url: string) =>
  SwarmList.parse(await (await signedFetch(`${url}/v1/swarms`)).json()).swarms;

describe("a sidecar", () => {
  it("H1 H4 drives a swarm that a file describes", async () => {
    const demo = await startDemo();
    onTestFinished(() => demo.stop());
    const directory = scratch();
    const file = join(directory, "mine.json");
    const described: object = JSON.parse(readFileSync(at("../../docs/profiles/demo.json"), "utf8"));
    writeFileSync(
      file,
      JSON.stringify({ ...described, cli: [process.execPath, at("../../sidecar/demo/main.ts")] }),
    );
    const custom = { SWARM_PROFILE: "custom", SWARM_PROFILE_FILE: file, SIDECAR_STATE_DIR: directory };
    const { url } = await sidecar({ ...demo.env, ...custom });

    const { taskId } = (await create(url, "count primes below 100000000")).task;
    await vi.waitFor(async () => expect((await taskAt(url, taskId)).swarmId).toMatch(/^swarm-/), WAIT);
    expect((await post(url, taskId, "pause")).status).toBe(200);
    expect(await swarmsAt(url)).toMatchObject([{ taskId, status: "paused" }]);
    expect((await post(url, taskId, "resume")).status).toBe(200);
    expect((await post(url, taskId, "stop")).status).toBe(200);
    expect(await taskAt(url, taskId)).toMatchObject({ state: "stopped", error: null });
  });

  it("H8 does not start with a file that describes nothing, and says where in one line", async () => {
    const file = join(scratch(), "mine.json");
    writeFileSync(file, '{"name": "mine", "cli": []}');
    const started = startSidecar({ env: { SWARM_PROFILE: "custom", SWARM_PROFILE_FILE: file } });
    const refusal = await started.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(refusal).toBeInstanceOf(SidecarDidNotStart);
    expect(refusal).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(/^sidecar: SWARM_PROFILE_FILE: .*mine\.json: cli: .*$/),
    });
  });

  it("H4 H9 knows how a task of claude-flow 2 ended while the sidecar was down", async () => {
    const directory = scratch();
    const cli = join(directory, "claude-flow");
    const standIn = at("../support/stand-ins/claude-flow-2.js");
    writeFileSync(cli, `#!/usr/bin/env node\nimport(${JSON.stringify(standIn)});\n`, { mode: 0o755 });
    const go = join(directory, "go");
    const env = {
      SWARM_PROFILE: "claude-flow@2",
      CLAUDE_FLOW_PATH: cli,
      SWARM_WORKDIR: directory,
      SIDECAR_STATE_DIR: join(directory, "state"),
      SWARM_ENV: "STAND_IN_CLAUDE,STAND_IN_GO",
      STAND_IN_CLAUDE: "completes",
      STAND_IN_GO: go,
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    };
    const first = await sidecar(env);
    const { taskId } = (await create(first.url, "--help 'x'\ny")).task;
    await vi.waitFor(
      async () => expect((await taskAt(first.url, taskId)).swarmId).toMatch(/^session-/),
      WAIT,
    );
    expect(await swarmsAt(first.url)).toMatchObject([{ taskId, status: "active" }]);
    const pause = await post(first.url, taskId, "pause");
    expect([pause.status, await pause.json()]).toMatchObject([409, { code: "not_supported" }]);
    await first.kill("SIGKILL");

    writeFileSync(go, "");
    const second = await sidecar(env);
    await vi.waitFor(
      async () => expect(await taskAt(second.url, taskId)).toMatchObject({ state: "completed", error: null }),
      WAIT,
    );
    expect(await swarmsAt(second.url)).toEqual([]);
  });
});
