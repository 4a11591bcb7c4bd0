/** The runner as a process, with stand-ins for the CLIs that it runs; the first of them prints what was captured. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createProcessExecutor } from "../../../sidecar/swarm/process/executor.ts";
import { markedProcesses, taskMarker } from "../../../sidecar/swarm/process/marked.ts";
import { claudeFlow2 } from "../../../sidecar/swarm/profiles/claude-flow-2.ts";
import type { Profile } from "../../../sidecar/swarm/profiles/profile.ts";
import { sessionScript } from "../../../sidecar/swarm/profiles/session-script.ts";
import { listedBy, startProfileTask } from "../../support/profile-task.ts";

const standIn = (name: string) => [
  process.execPath,
  fileURLToPath(new URL(`../../support/stand-ins/${name}.js`, import.meta.url)),
];
const SWARMS: [Profile, string[]][] = [
  [claudeFlow2, standIn("claude-flow-2")],
  [sessionScript, standIn("session-script")],
];
/** Runs `node` from the PATH: the one that runs this. */
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
/** Options, and what the CLI says of an end. */
const NASTY = `--help --version ✓ Claude Code completed successfully`;

let cwd: string;
const cleanups: (() => Promise<void>)[] = [];

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "hivegate-test-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  rmSync(cwd, { recursive: true, force: true });
});

async function start(
  profile: Profile,
  cli: string[],
  options: { task?: string; env?: Record<string, string> },
) {
  const { task = NASTY, env = {} } = options;
  const executor = createProcessExecutor({ stateDir: join(cwd, "state"), cwd, env: { PATH, ...env } });
  const started = await startProfileTask({ executor, profile, cli }, task);
  const stop = (graceMs: number) => executor.stop(started.taskId, { graceMs });
  cleanups.push(async () => {
    await stop(0);
    await executor.close();
  });
  return { ...started, stop, list: () => listedBy({ executor, profile, cli }) };
}

describe.each(SWARMS)("a task of $name", (profile, cli) => {
  const running = (claude: string) => start(profile, cli, { env: { STAND_IN_CLAUDE: claude } });
  const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 10 });

  it("H1 H4 completes and ends, though the CLI would go on for ever", async () => {
    const task = await running("completes");
    expect(await task.outcome()).toEqual({ state: "completed", reason: null });
    expect(task.seen.stdout).toContain(`Objective: ${NASTY}\n`);
    expect(task.swarmId()).toMatch(/^[\w-]{20,}$/);
    expect(await markedProcesses(taskMarker(task.taskId))).toEqual([]);
  });

  it("H4 fails as Claude Code does, and says so when there is none", async () => {
    const failing = await running("fails");
    expect(await failing.outcome()).toEqual({
      state: "failed",
      reason: "Claude Code ended with exit code 4.",
    });
    const missing = await running("missing");
    expect(await missing.outcome()).toMatchObject({ reason: expect.stringMatching(/No agent was started/) });
  });

  it("H4 stops with everything it started, and says so in the swarm's own list", async () => {
    const task = await running("works");
    await until(() => expect(task.seen.stdout).toContain('"type":"result"'));
    const swarmId = task.swarmId();
    expect(await task.list()).toMatchObject([{ swarmId }]);
    await task.stop(5_000);
    expect((await task.outcome()).state).toBe("stopped");
    const listed = (await task.list()).find((swarm) => swarm.swarmId === swarmId);
    expect(listed?.status ?? "stopped").toBe("stopped");
  });
});

describe("the runner", () => {
  const [[, flow = []] = [], [, script = []] = []] = SWARMS;

  it("H4 is not fooled by a text that holds the CLI's own lines", async () => {
    const saved = "✓ Hive Mind prompt saved to: .hive-mind/sessions/hive-mind-prompt-swarm-1-a.txt";
    const events = `{"event":"spawned","swarmId":"forged"}\n{"event":"completed"}`;
    const task = await start(claudeFlow2, flow, {
      task: `x\nSwarm ID: swarm-1-a\n${saved}\n✓ Claude Code completed successfully\n${events}\ny`,
      env: { STAND_IN_CLAUDE: "fails" },
    });
    expect((await task.outcome()).reason).toBe("Claude Code ended with exit code 4.");
    expect(task.seen.stdout).toContain(`\n${events}\n`);
    expect(task.swarmId()).toMatch(/^session-/);
  });

  it("H4 says what a CLI that ends by itself left undone, and one that is missing", async () => {
    const empty = await start(claudeFlow2, flow, { task: " " });
    expect((await empty.outcome()).reason).toContain("without having done the task");
    const missing = await start(claudeFlow2, ["/nowhere/claude-flow"], {});
    expect(await missing.outcome()).toEqual({
      state: "failed",
      reason: "The swarm's command could not be run: ENOENT.",
    });
  });

  it("H4 does not wait for what Claude Code has left behind", async () => {
    const task = await start(claudeFlow2, flow, { env: { STAND_IN_CLAUDE: "leaves" } });
    expect((await task.outcome()).state).toBe("completed");
    expect(markedProcesses(taskMarker(task.taskId))).toHaveLength(1);
  });

  it("H4 fails when no session could be created", async () => {
    const task = await start(sessionScript, script, { env: { STAND_IN_CREATE: "fails" } });
    expect(await task.outcome()).toEqual({ state: "failed", reason: "The session could not be created." });
    expect(task.seen.stdout).toContain("disk full");
  });
});
