import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { Executor, OutputSink } from "../../../sidecar/swarm/executor.ts";
import { endGroup } from "../../../sidecar/swarm/process/end.ts";
import { createProcessExecutor } from "../../../sidecar/swarm/process/executor.ts";
import { markedProcesses, taskMarker } from "../../../sidecar/swarm/process/marked.ts";
import { exitFrom, spawnCommand, started } from "../../../sidecar/swarm/process/spawn.ts";

const SLEEPER = "setTimeout(() => {}, 60_000)";
const STUBBORN = `
  process.on("SIGTERM", () => {});
  if (!process.argv[1]) {
    require("node:child_process").spawn(process.execPath, ["-e", process.execArgv[1], "child"],
      { detached: true, stdio: ["ignore", "inherit", "inherit"] }).unref();
  }
  console.log("up");
  ${SLEEPER};
`;
/** Starts children without its environment, one of them in a session of its own too; `TERM` ends it, and neither of them. */
const UNMARKED = `
  const { spawn } = require("node:child_process");
  const child = 'process.on("SIGTERM", () => {}); console.log(process.pid); setTimeout(() => {}, 60_000)';
  for (const detached of [false, true])
    spawn(process.execPath, ["-e", child], { env: {}, detached, stdio: ["ignore", "inherit", "inherit"] });
  ${SLEEPER};
`;
const node = (program: string, ...args: string[]) => [process.execPath, "-e", program, ...args];

/** Dead is who only waits for their parent to notice. */
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

describe("the process executor", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "hivegate-test-"));
  const executors: Executor[] = [];
  const tasks: string[] = [];

  const newExecutor = (options: { env?: Record<string, string>; cwd?: string } = {}): Executor => {
    const executor = createProcessExecutor({ stateDir, ...options });
    executors.push(executor);
    return executor;
  };
  const startTask = async (executor: Executor, argv: readonly string[], remember = (_: string) => {}) => {
    const taskId = randomUUID();
    tasks.push(taskId);
    const text = { stdout: "", stderr: "" };
    const kept = { stdout: 0, stderr: 0 };
    const pieces: string[] = [];
    const sink: OutputSink = (stream, piece, throughBytes = 0) => {
      text[stream] += piece;
      kept[stream] = throughBytes;
      pieces.push(piece);
    };
    const { exit } = await executor.start({ taskId, argv }, { output: sink, remember });
    return { taskId, handle: taskId, text, kept, pieces, sink, exit };
  };
  const comes = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 10 });
  const alive = (taskId: string) => markedProcesses(taskMarker(taskId));

  afterEach(async () => {
    await Promise.all(tasks.splice(0).map((taskId) => newExecutor().stop(taskId, { graceMs: 0 })));
    await Promise.all(executors.splice(0).map((executor) => executor.close()));
  });
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

  describe("with a short command", () => {
    it("H1 gives its output and exit code", async () => {
      const program = `console.log("out é🐝"); console.error("err"); process.exitCode = 3`;
      const result = await newExecutor().run(node(program), { timeoutMs: 5_000 });
      expect(result).toEqual({ exitCode: 3, stdout: "out é🐝\n", stderr: "err\n", ended: null });
    });

    it("H1 hands over a text with shell syntax as one argument", async () => {
      const text = `'"\`$(touch /tmp/owned)\` ; && \n é`;
      const argv = node("process.stdout.write(process.argv[1])", text);
      expect((await newExecutor().run(argv, { timeoutMs: 5_000 })).stdout).toBe(text);
    });

    it("H1 ends it with all it started when it takes too long", async () => {
      const mark = randomUUID();
      const result = await newExecutor({ env: { MARK: mark } }).run(node(STUBBORN), { timeoutMs: 400 });
      expect(result).toMatchObject({ exitCode: null, ended: "timeout" });
      expect(result.stdout).toContain("up\n");
      expect(markedProcesses(`MARK=${mark}`)).toEqual([]);
    });

    it("H1 ends it when it writes too much", async () => {
      const argv = node(`setInterval(() => console.log("x".repeat(65_000)), 1)`);
      const result = await newExecutor().run(argv, { timeoutMs: 5_000 });
      expect(result).toMatchObject({ exitCode: null, ended: "output_limit" });
      expect(result.stdout.length).toBeLessThanOrEqual(LIMITS.commandOutputBytes);
    });

    it("H1 does not wait for what it leaves running with its output open", async () => {
      const program = `
        require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 4_000)"], { stdio: "inherit", detached: true }).unref();
        console.log("done")`;
      const sinceMs = performance.now();
      const result = await newExecutor().run(node(program), { timeoutMs: 9_000 });
      expect(result).toMatchObject({ exitCode: 0, stdout: "done\n", ended: null });
      expect(performance.now() - sinceMs).toBeLessThan(3_500);
    });

    it("S8 keeps the sidecar's secrets from it", async () => {
      vi.stubEnv("HIVEGATE_KEY", "secret");
      const executor = newExecutor({ env: { DEMO_MCP_PORT: "1" } });
      const { stdout } = await executor.run(node("console.log(JSON.stringify(process.env))"), {
        timeoutMs: 5_000,
      });
      vi.unstubAllEnvs();
      const names = Object.keys(JSON.parse(stdout));
      expect(names).toContain("DEMO_MCP_PORT");
      const known = ["PATH", "HOME", "LANG", "TZ", "DEMO_MCP_PORT", "HIVEGATE_COMMAND_ID"];
      expect(names.filter((name) => !known.includes(name))).toEqual([]);
    });

    it("T8 says in one clear sentence that it cannot be started", async () => {
      const argv = [`/nowhere/${randomUUID()}`];
      const error = { code: "swarm_unavailable", message: expect.not.stringContaining("/nowhere") };
      await expect(newExecutor().run(argv, { timeoutMs: 1_000 })).rejects.toMatchObject(error);
      await expect(startTask(newExecutor(), argv)).rejects.toMatchObject(error);
      expect(readdirSync(stateDir)).toEqual([]);
    });
  });

  describe("with a task", () => {
    it("H1 gives its output in order, in pieces that fit an event, and its exit code", async () => {
      const program = `
        for (const stream of [process.stdout, process.stderr])
          stream.write(Array.from({ length: 20000 }, (_, i) => i + " é漢🐝").join("\\n"));
        process.exitCode = 5`;
      const task = await startTask(newExecutor(), node(program));
      expect(await task.exit).toEqual({ exitCode: 5 });
      const lines = Array.from({ length: 20_000 }, (_, i) => `${i} é漢🐝`).join("\n");
      expect(task.text).toEqual({ stdout: lines, stderr: lines });
      for (const piece of task.pieces) {
        expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(LIMITS.taskEventBytes);
      }
    });

    it("H1 gives output that is no UTF-8, whole, and what is cut off at the end", async () => {
      const task = await startTask(
        newExecutor(),
        node("process.stdout.write(Buffer.from([0x61, 0xff, 0x62, 0xe2, 0x82]))"),
      );
      await task.exit;
      expect(task.text.stdout).toBe("a�b�");
    });

    it("H1 gives output as it is written, a character only when it is whole", async () => {
      const program = `
        process.stdout.write("a");
        process.stdout.write(Buffer.from([0xf0, 0x9f]));
        process.on("SIGTERM", () => { process.stdout.write(Buffer.from([0x90, 0x9d])); process.exit(0) });
        ${SLEEPER}`;
      const executor = newExecutor();
      const task = await startTask(executor, node(program));
      await comes(() => expect(task.text.stdout).toBe("a"));
      await executor.stop(task.taskId, { graceMs: 5_000 });
      await task.exit;
      expect(task.text.stdout).toBe("a🐝");
    });

    it("H9 remembers it before it can run", async () => {
      const remember = vi.fn(() => {
        throw new Error("the ledger is full");
      });
      const mark = randomUUID();
      await expect(startTask(newExecutor(), node(SLEEPER, mark), remember)).rejects.toThrow(
        "the ledger is full",
      );
      expect(remember).toHaveBeenCalledOnce();
      expect(alive(tasks.at(-1) ?? "")).toEqual([]);
      expect(readdirSync(stateDir)).toEqual([]);
    });

    it("H4 asks it to stop first", async () => {
      const executor = newExecutor();
      const task = await startTask(
        executor,
        node(
          `process.on("SIGTERM", () => { console.log("bye"); process.exit(7) }); console.log("up"); ${SLEEPER}`,
        ),
      );
      await comes(() => expect(task.text.stdout).toBe("up\n"));
      await executor.stop(task.taskId, { graceMs: 5_000 });
      expect(await task.exit).toEqual({ exitCode: 7 });
      expect(task.text.stdout).toBe("up\nbye\n");
    });

    it("H4 ends it after the grace, with its children in other sessions", async () => {
      const executor = newExecutor();
      const task = await startTask(executor, node(STUBBORN));
      await comes(() => expect(task.text.stdout).toBe("up\nup\n"));
      await executor.stop(task.taskId, { graceMs: 200 });
      expect(await task.exit).toEqual({ exitCode: 137 });
      expect(alive(task.taskId)).toEqual([]);
    });

    it("H4 ends its children that have an environment of their own, also when it ends before them", async () => {
      const executor = newExecutor();
      const task = await startTask(executor, node(UNMARKED));
      await comes(() => expect(task.text.stdout).toMatch(/^\d+\n\d+\n$/));
      const children = task.text.stdout.trim().split("\n").map(Number);
      expect(alive(task.taskId)).not.toEqual(expect.arrayContaining(children));
      await executor.stop(task.taskId, { graceMs: 200 });
      expect(await task.exit).toEqual({ exitCode: 143 });
      expect(children.filter(isAlive)).toEqual([]);
    });

    it("S6 ends it when it fills the disk, and says so", async () => {
      const program = `const line = "x".repeat(1024 * 1024); while (true) require("node:fs").writeSync(1, line)`;
      const task = await startTask(newExecutor(), node(program));
      expect(await task.exit).toEqual({ exitCode: 137 });
      expect(task.text.stderr).toMatch(/wrote more than \d+ bytes/);
    });

    it("S6 leaves nothing on disk when it is over", async () => {
      const task = await startTask(newExecutor(), node(""));
      await task.exit;
      await comes(() => expect(readdirSync(stateDir)).toEqual([]));
    });
  });

  describe("after a restart of the sidecar", () => {
    it("H9 finds a task that runs, loses no output and repeats none", async () => {
      const program = `
        process.on("SIGTERM", () => { console.log("three"); process.exit(0) });
        console.log("one"); process.stdout.write("two é"); ${SLEEPER}`;
      const before = newExecutor();
      const task = await startTask(before, node(program));
      await comes(() => expect(task.text.stdout).toBe("one\ntwo é"));
      await before.close();

      const after = newExecutor();
      const recovery = await after.recover(task, task.sink);
      if (recovery.status !== "running") throw new Error(`it is ${recovery.status}`);
      expect(recovery.lostOutput).toBe(false);
      await after.stop(task.taskId, { graceMs: 5_000 });
      expect(await recovery.exit).toEqual({ exitCode: null });
      expect(task.text.stdout).toBe("one\ntwo éthree\n");
    });

    it("H9 has all output of a task that ended meanwhile", async () => {
      const before = newExecutor();
      const task = await startTask(before, node(`setTimeout(() => console.log("late"), 300)`));
      await before.close();
      await comes(() => expect(alive(task.taskId)).toEqual([]));
      const recovery = await newExecutor().recover(task, task.sink);
      expect(recovery).toEqual({ status: "ended", lostOutput: false, exit: { exitCode: null } });
      expect(task.text.stdout).toBe("late\n");
    });

    it("H9 knows a task that was never remembered, and one whose files are gone", async () => {
      const recover = (handle: string | null) =>
        newExecutor().recover({ taskId: randomUUID(), handle }, () => {});
      expect(await recover(null)).toEqual({ status: "never_started" });
      expect(await recover("gone")).toEqual({ status: "ended", lostOutput: true, exit: { exitCode: null } });
    });
  });

  it("H7 knows whether its state can be kept", async () => {
    const executor = newExecutor();
    expect(await executor.health()).toMatchObject({ running: true });
    const elsewhere = mkdtempSync(join(tmpdir(), "hivegate-test-"));
    const homeless = createProcessExecutor({ stateDir: elsewhere });
    rmSync(elsewhere, { recursive: true });
    expect(await homeless.health()).toMatchObject({
      running: false,
      details: { reason: expect.not.stringContaining(elsewhere) },
    });
  });

  it("H4 ends processes by their group where they cannot be found by a marker", async () => {
    const child = spawnCommand(node(`process.on("SIGTERM", () => {}); console.log("up"); ${SLEEPER}`), {
      cwd: undefined,
      env: {},
      marker: "HIVEGATE_TEST=group",
      output: ["pipe", "pipe"],
    });
    const leader = await started(child);
    const exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(exitFrom(code, signal)));
    });
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    expect(await endGroup(leader, 200)).toBe(true);
    expect(await exit).toEqual({ exitCode: 137 });
  });
});
