/** Stand-ins for what the sidecar's core talks to: a swarm whose processes the test steers by hand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { platformClock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CreateTask } from "../../../shared/protocol/sidecar.ts";
import type { Logger } from "../../../sidecar/log.ts";
import type {
  CommandResult,
  Executor,
  ExecutorHealth,
  Exit,
  OutputSink,
  RecoverSpec,
  Recovery,
} from "../../../sidecar/swarm/executor.ts";
import { McpRunner } from "../../../sidecar/swarm/fallback/mcp-runner.ts";
import type { Profile } from "../../../sidecar/swarm/profiles/profile.ts";

export const silentLog: Logger = { info() {}, warn() {}, error() {}, debug() {} };

/** A directory of its own, gone after the test. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const TASK_ID = "0b7c8a2e-1111-4222-8333-123456789abc";

export const aTask = (overrides: Partial<CreateTask> = {}): CreateTask => ({
  taskId: TASK_ID,
  task: "count primes below 5000",
  priority: "Medium",
  verbose: false,
  timeoutMs: LIMITS.taskRunMs,
  client: "client 1",
  ...overrides,
});

/** The `n`th task id of a test. */
export const taskId = (n: number): string => `0b7c8a2e-1111-4222-8333-${String(n).padStart(12, "0")}`;

export type FakeProcess = {
  taskId: string;
  argv: readonly string[];
  write: OutputSink;
  exit(exitCode: number | null): void;
};

export class FakeExecutor implements Executor {
  readonly method = "process";
  readonly started: FakeProcess[] = [];
  readonly commands: (readonly string[])[] = [];
  readonly stopped: string[] = [];
  /** How a short command ends; by default with nothing written and exit code 0. */
  answer: (argv: readonly string[]) => Promise<CommandResult> = async () => succeeded("");
  /** What starting a process waits for, or fails by. */
  beforeStart: () => Promise<void> = async () => {};
  /** What a process writes first. */
  says = "";
  /** What `recover` finds. */
  found: (spec: RecoverSpec) => Promise<Recovery> = async () => ({
    status: "never_started",
  });
  /** What the last `recover` was given to write to. */
  recovered: OutputSink | null = null;

  async run(argv: readonly string[]): Promise<CommandResult> {
    this.commands.push(argv);
    return this.answer(argv);
  }

  async start(
    spec: { taskId: string; argv: readonly string[] },
    callbacks: { output: OutputSink; remember(handle: string): void },
  ): Promise<{ exit: Promise<Exit> }> {
    await this.beforeStart();
    callbacks.remember(`handle of ${spec.taskId}`);
    const exit = Promise.withResolvers<Exit>();
    this.started.push({
      ...spec,
      write: callbacks.output,
      exit: (exitCode) => exit.resolve({ exitCode }),
    });
    if (this.says !== "") callbacks.output("stdout", this.says);
    return { exit: exit.promise };
  }

  async recover(spec: RecoverSpec, output: OutputSink): Promise<Recovery> {
    this.recovered = output;
    return this.found(spec);
  }

  /** Ends the process as a signal does. */
  async stop(taskId: string): Promise<void> {
    this.stopped.push(taskId);
    this.started.find((process) => process.taskId === taskId)?.exit(null);
  }

  async health(): Promise<ExecutorHealth> {
    return { running: true, details: {} };
  }

  async canStart(): Promise<boolean> {
    return (await this.health()).running;
  }

  async close(): Promise<void> {}

  /** The process of the only task started. */
  get process(): FakeProcess {
    const [process] = this.started;
    if (!process || this.started.length > 1) throw new Error(`${this.started.length} processes were started`);
    return process;
  }
}

export const succeeded = (stdout: string): CommandResult => ({
  exitCode: 0,
  stdout,
  stderr: "",
  ended: null,
});

/** A swarm that names itself by a line `swarm <id>` and ends with a line `done`, or not. */
export const fakeProfile = (overrides: Partial<Profile> = {}): Profile => ({
  name: "fake",
  prepare: null,
  spawn: (cli, { task, priority }) => [...cli, "spawn", priority, task],
  swarmId: (output) => /^swarm (\S+)$/m.exec(output)?.[1] ?? null,
  outcome: (exitCode, output) => {
    if (output.trimEnd().endsWith("done")) return { state: "completed", reason: null };
    return exitCode === null ? { state: "lost", reason: null } : { state: "failed", reason: "It broke." };
  },
  list: {
    argv: (cli) => [...cli, "list"],
    read: (result) =>
      result.stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((swarmId) => ({
          ...{ swarmId, status: "active", topology: null, workerCount: null, taskId: null },
          detail: null,
        })),
  },
  controls: { stop: null, pause: null, resume: null },
  ...overrides,
});

/** No MCP server takes tasks. */
export const noFallback = {
  mcp: new McpRunner({ upstreams: () => [], clock: platformClock, log: silentLog }),
  hybrid: { dockerPrimary: true, dockerFallback: true, mcpFallback: true },
};

export const unreachable = (): Promise<never> => Promise.reject(new HivegateError("swarm_unavailable"));
