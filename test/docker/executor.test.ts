import { createHash, randomUUID } from "node:crypto";
import Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { createDockerExecutor } from "../../sidecar/swarm/docker/executor.ts";
import type { Executor, OutputSink } from "../../sidecar/swarm/executor.ts";
import { docker, dockerAvailable, nodeImage, processesOf, TestContainers } from "../support/docker.ts";

const SETTINGS = { docker, commandTimeoutMs: 10_000 };

/** Programs for the container. `STUBBORN` starts a child of its own session and ignores TERM, as does the child. */
const SLEEPER = "setTimeout(() => {}, 60_000)";
const STUBBORN = `
  process.on("SIGTERM", () => {});
  if (!process.argv[1]) {
    const child = require("node:child_process").spawn("node", ["-e", process.execArgv[1], "child"],
      { detached: true, stdio: ["ignore", "inherit", "inherit"] });
    child.unref();
  }
  console.log("up");
  setTimeout(() => {}, 60_000);
`;
/** Starts children without its environment, one of them in a session of its own too; `TERM` ends it, and neither of them. */
const UNMARKED = `
  const { spawn } = require("node:child_process");
  const child = 'process.on("SIGTERM", () => {}); console.log("up"); setTimeout(() => {}, 60_000)';
  for (const detached of [false, true])
    spawn(process.execPath, ["-e", child], { env: {}, detached, stdio: ["ignore", "inherit", "inherit"] });
  setTimeout(() => {}, 60_000);
`;
const node = (program: string, ...args: string[]) => ["node", "-e", program, ...args];

/** A sink that keeps what it is given. */
function recorder(): { sink: OutputSink; stdout(): string; stderr(): string; pieces: string[] } {
  const pieces: string[] = [];
  const text = { stdout: "", stderr: "" };
  const sink: OutputSink = (stream, piece) => {
    pieces.push(piece);
    text[stream] += piece;
  };
  return { sink, pieces, stdout: () => text.stdout, stderr: () => text.stderr };
}

describe.skipIf(!(await dockerAvailable()))("the docker executor", () => {
  const containers = new TestContainers();
  const executors: Executor[] = [];
  let container: string;

  const newContainer = async (): Promise<string> => {
    const started = await containers.start({
      image: await nodeImage(),
      cmd: node("setInterval(() => {}, 1e9)"),
    });
    return started.name;
  };
  const executorFor = (name: string, options: { allowed?: string[]; docker?: Dockerode } = {}): Executor => {
    const executor = createDockerExecutor({ ...SETTINGS, container: name, allowed: [name], ...options });
    executors.push(executor);
    return executor;
  };
  const startTask = async (executor: Executor, program: string) => {
    const taskId = randomUUID();
    const output = recorder();
    const handles: string[] = [];
    const { exit } = await executor.start(
      { taskId, argv: node(program) },
      { output: output.sink, remember: (handle) => handles.push(handle) },
    );
    return { taskId, output, exit, handle: handles.join() };
  };
  const strays = async (name = container): Promise<string[]> =>
    (await processesOf(name)).filter((args) => args.includes("60_000"));

  beforeAll(async () => {
    container = await newContainer();
  });
  afterAll(async () => {
    await Promise.all(executors.map((executor) => executor.close()));
    await containers.removeAll();
  });

  it("H1 gives a command's output and exit code", async () => {
    const program = `console.log("out"); console.error("err"); process.exitCode = 3`;
    expect(await executorFor(container).run(node(program), { timeoutMs: 10_000 })).toEqual({
      exitCode: 3,
      stdout: "out\n",
      stderr: "err\n",
      ended: null,
    });
  });

  it("H1 hands over a text of 100 kB byte for byte, whatever is in it", async () => {
    const nasty = `--help '"\`$(touch /tmp/owned)\` ; rm -rf / && \\ \n\t\r %s é 漢字 🐝 `;
    const text = nasty.repeat(2_000).slice(0, 90_000);
    const program = `
      const bytes = Buffer.from(process.argv[1]);
      console.log(bytes.length, require("node:crypto").createHash("sha256").update(bytes).digest("hex"))`;
    const result = await executorFor(container).run(["node", "-e", program, "--", text], {
      timeoutMs: 10_000,
    });
    const bytes = Buffer.from(text.toWellFormed());
    const digest = createHash("sha256").update(bytes).digest("hex");
    expect(bytes.length).toBeGreaterThan(100_000);
    expect(result.stdout.trim()).toBe(`${bytes.length} ${digest}`);
  });

  it("H1 gives a task's output in order, in pieces that fit an event, and its exit code", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} é漢🐝`).join("\n");
    const program = `
      for (const stream of [process.stdout, process.stderr])
        stream.write(Array.from({ length: 20000 }, (_, i) => i + " é漢🐝").join("\\n"));
      process.exitCode = 5`;
    const task = await startTask(executorFor(container), program);
    expect(await task.exit).toEqual({ exitCode: 5 });
    expect(task.output.stdout()).toBe(lines);
    expect(task.output.stderr()).toBe(lines);
    for (const piece of task.output.pieces) {
      expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(LIMITS.taskEventBytes);
    }
  });

  it("H9 marks a task's process and all it starts with the task's id", async () => {
    const program = `require("node:child_process").spawn("node", ["-p", "process.env.HIVEGATE_TASK_ID"], { stdio: "inherit" })`;
    const task = await startTask(executorFor(container), program);
    await task.exit;
    expect(task.output.stdout().trim()).toBe(task.taskId);
  });

  it("H1 ends a command that takes too long, with everything it started", async () => {
    const result = await executorFor(container).run(node(STUBBORN), { timeoutMs: 1_500 });
    expect(result).toMatchObject({ exitCode: null, ended: "timeout", stdout: "up\nup\n" });
    expect(await strays()).toEqual([]);
  });

  it("H1 ends a command that writes too much", async () => {
    const program = `const line = "x".repeat(65_000); setInterval(() => console.log(line), 1); ${SLEEPER}`;
    const result = await executorFor(container).run(node(program), { timeoutMs: 20_000 });
    expect(result).toMatchObject({ exitCode: null, ended: "output_limit" });
    expect(result.stdout.length).toBeLessThanOrEqual(LIMITS.commandOutputBytes);
    expect(await strays()).toEqual([]);
  });

  it("H4 stops a task: it is asked first, and may end in its own way", async () => {
    const program = `process.on("SIGTERM", () => { console.log("bye"); process.exit(7) }); console.log("up"); ${SLEEPER}`;
    const executor = executorFor(container);
    const task = await startTask(executor, program);
    await vi.waitFor(() => expect(task.output.stdout()).toBe("up\n"), { timeout: 5_000 });
    await executor.stop(task.taskId, { graceMs: 10_000 });
    expect(await task.exit).toEqual({ exitCode: 7 });
    expect(task.output.stdout()).toBe("up\nbye\n");
    expect(await strays()).toEqual([]);
  });

  it("H4 ends a task that will not stop, and its children in other sessions, after the grace", async () => {
    const executor = executorFor(container);
    const task = await startTask(executor, STUBBORN);
    await vi.waitFor(() => expect(task.output.stdout()).toBe("up\nup\n"), { timeout: 5_000 });
    await executor.stop(task.taskId, { graceMs: 300 });
    expect(await task.exit).toEqual({ exitCode: 137 });
    expect(await strays()).toEqual([]);
  });

  it("H4 ends a task's children that have an environment of their own, also when it ends before them", async () => {
    const executor = executorFor(container);
    const task = await startTask(executor, UNMARKED);
    await vi.waitFor(() => expect(task.output.stdout()).toBe("up\nup\n"), { timeout: 5_000 });
    await executor.stop(task.taskId, { graceMs: 300 });
    expect(await task.exit).toEqual({ exitCode: 143 });
    expect(await strays()).toEqual([]);
  });

  it("H4 stops a task that has hardly begun", async () => {
    const executor = executorFor(container);
    const task = await startTask(executor, SLEEPER);
    await executor.stop(task.taskId, { graceMs: 0 });
    await task.exit;
    expect(await strays()).toEqual([]);
  });

  it("H9 finds a running task again after a restart, and sees its end", async () => {
    const before = executorFor(container);
    const task = await startTask(before, "setTimeout(() => process.exit(9), 1_500)");
    await before.close();
    const recovery = await executorFor(container).recover(task, task.output.sink);
    expect(recovery).toMatchObject({ status: "running", lostOutput: true });
    if (recovery.status !== "running") throw new Error("unreachable");
    expect(await recovery.exit).toEqual({ exitCode: 9 });
  });

  it("H9 waits for a task that writes on after the restart, though Docker calls its exec broken off", async () => {
    const before = executorFor(container);
    const task = await startTask(
      before,
      "setInterval(() => console.log('still here'), 20); setTimeout(() => process.exit(9), 2_500)",
    );
    await before.close();
    await vi.waitFor(async () => expect((await docker.getExec(task.handle).inspect()).ExitCode).toBe(126), {
      timeout: 5_000,
    });
    const recovery = await executorFor(container).recover(task, task.output.sink);
    if (recovery.status !== "running") throw new Error("the task was not found running");
    expect(await recovery.exit).toEqual({ exitCode: null });
    expect(await strays()).toEqual([]);
  });

  it("H9 can stop a task that it found again", async () => {
    const before = executorFor(container);
    const task = await startTask(before, SLEEPER);
    await before.close();
    const after = executorFor(container);
    const recovery = await after.recover(task, task.output.sink);
    await after.stop(task.taskId, { graceMs: 1_000 });
    if (recovery.status !== "running") throw new Error("the task was not found running");
    expect(await recovery.exit).toEqual({ exitCode: 143 });
  });

  it("H9 tells what became of tasks that ended, never started, or are forgotten", async () => {
    const executor = executorFor(container);
    const ended = await startTask(executor, "process.exit(4)");
    await ended.exit;
    const unstarted = await docker.getContainer(container).exec({ Cmd: ["true"] });
    const recover = (handle: string | null) =>
      executorFor(container).recover({ taskId: randomUUID(), handle }, () => {});
    expect(await recover(ended.handle)).toEqual({ status: "ended", lostOutput: true, exit: { exitCode: 4 } });
    expect(await recover(unstarted.id)).toEqual({ status: "never_started" });
    expect(await recover(null)).toEqual({ status: "never_started" });
    const forgotten = await recover("0".repeat(64));
    if (forgotten.status !== "running") throw new Error("its processes were not looked for");
    expect(await forgotten.exit).toEqual({ exitCode: null });
  });

  it("H9 finds a task that runs on though Docker has forgotten its exec, and can stop it", async () => {
    const before = executorFor(container);
    const task = await startTask(before, SLEEPER);
    await before.close();
    const after = executorFor(container);
    const recovery = await after.recover({ ...task, handle: "0".repeat(64) }, task.output.sink);
    if (recovery.status !== "running") throw new Error("the task was not found running");
    await after.stop(task.taskId, { graceMs: 1_000 });
    expect(await recovery.exit).toEqual({ exitCode: null });
    expect(await strays()).toEqual([]);
  });

  it("H9 sees a task end when its container is restarted", async () => {
    const name = await newContainer();
    const task = await startTask(executorFor(name), `console.log("up"); ${SLEEPER}`);
    await vi.waitFor(() => expect(task.output.stdout()).toBe("up\n"), { timeout: 5_000 });
    await docker.getContainer(name).restart({ t: 0 });
    const { exitCode } = await task.exit;
    expect([null, 137]).toContain(exitCode);
  });

  it("H9 lets a task run on for longer than Docker may take to answer", async () => {
    const executor = createDockerExecutor({ docker, container, allowed: [container], commandTimeoutMs: 500 });
    executors.push(executor);
    const task = await startTask(executor, `setTimeout(() => console.log("late"), 1_200)`);
    expect(await task.exit).toEqual({ exitCode: 0 });
    expect(task.output.stdout()).toBe("late\n");
  });

  it("H7 knows whether commands can be run", async () => {
    expect(await executorFor(container).health()).toMatchObject({
      running: true,
      details: { status: "running" },
    });
    const stopped = await newContainer();
    await docker.getContainer(stopped).kill();
    const gone = `hivegate-test-${randomUUID()}`;
    for (const name of [stopped, gone]) {
      const health = await executorFor(name).health();
      expect(health).toMatchObject({
        running: false,
        details: { reason: expect.stringContaining("container") },
      });
    }
  });

  describe("H3 T8 says in one clear sentence why nothing was started when", () => {
    const socketPath = `/tmp/hivegate-no-docker-${randomUUID()}.sock`;
    const cases = {
      "the container is not there": {
        make: async () => executorFor(`hivegate-test-${randomUUID()}`),
        code: "swarm_unavailable",
        message: /does not exist/,
      },
      "the container does not run": {
        make: async () => {
          const name = await newContainer();
          await docker.getContainer(name).kill();
          return executorFor(name);
        },
        code: "swarm_unavailable",
        message: /is not running/,
      },
      "the container is not on the allow list": {
        make: async () => executorFor(container, { allowed: ["another"] }),
        code: "container_not_allowed",
        message: /allow list/,
      },
      "the Docker socket is gone": {
        make: async () => executorFor(container, { docker: new Dockerode({ socketPath }) }),
        code: "swarm_unavailable",
        message: /^Docker does not answer\. [^/]*$/,
      },
    };
    it.each(Object.entries(cases))("%s", async (_, { make, code, message }) => {
      const executor = await make();
      const remember = vi.fn<(handle: string) => void>();
      const start = executor.start(
        { taskId: randomUUID(), argv: node(SLEEPER) },
        { output: () => {}, remember },
      );
      await expect(start).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(remember).not.toHaveBeenCalled();
      await expect(executor.run(["true"], { timeoutMs: 2_000 })).rejects.toMatchObject({ code });
    });
  });
});
