/** One task's process, from its start (or its recovery) to its end: everything that happens goes to the ledger. */
import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import type { Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import type { Executor, Exit, OutputSink, Recovery } from "./executor.ts";
import type { Ledger, TaskPatch } from "./ledger.ts";
import type { Profile, SpawnRequest } from "./profiles/profile.ts";
import type { TaskOutput } from "./task-output.ts";
import type { SwarmCli } from "./tasks-cli.ts";
import { withinMs } from "./tasks-deadline.ts";
import { type Asked, endBySwarm, endSeen, type TaskEnd } from "./tasks-end.ts";

/** How much of its output's beginning is searched for the swarm's id, and of its end for the outcome. */
const READ_CHARS = 64 * 1024;

const NOTHING_RAN = "Nothing was run: the same request may be sent again.";

export type RunContext = {
  ledger: Ledger;
  executor: Executor;
  profile: Profile;
  cli: SwarmCli;
  output: TaskOutput;
  onChange(task: Task): void;
  now(): number;
  log: Logger;
  /** A task is stopped after this. */
  taskRunMs: number;
  /** How long a task that was asked to end may take before it is ended. */
  stopGraceMs: number;
  /** How long until a task that could not be found again, because its runtime is away, is looked for anew. */
  recoveryRetryMs: number;
};

export class TaskRun {
  readonly #context: RunContext;
  readonly #taskId: string;
  readonly #ended = Promise.withResolvers<void>();
  readonly #identified = Promise.withResolvers<void>();
  #started: Promise<void> = Promise.resolve();
  /** The beginning of stdout, while the swarm's id is still looked for in it. */
  #beginning: string | null = "";
  #asked: Asked | null = null;
  #stopping: Promise<void> | undefined;
  #outputLost = false;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(taskId: string, context: RunContext) {
    this.#taskId = taskId;
    this.#context = context;
  }

  /** Settles when the process runs; rejects with a HivegateError when it could not be started. */
  get started(): Promise<void> {
    return this.#started;
  }

  /** Resolves when the swarm's id is known, or will never be. */
  get identified(): Promise<void> {
    return this.#identified.promise;
  }

  /** Resolves when the task's end is recorded. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  start(request: SpawnRequest): Promise<void> {
    this.#started = this.#start(request);
    return this.#started;
  }

  /** Finds the process of an earlier life of the sidecar again; goes on trying while its runtime is away. */
  async recover(unfinished: { task: Task; handle: string | null; stopAsked: boolean }): Promise<void> {
    const { executor, ledger, log, recoveryRetryMs } = this.#context;
    this.#asked = unfinished.stopAsked ? "stop" : null;
    const known = unfinished.task.swarmId !== null;
    this.#beginning = known ? null : ledger.output(this.#taskId, "beginning", READ_CHARS);
    if (known) this.#identified.resolve();
    let found: Recovery;
    try {
      found = await executor.recover({ taskId: this.#taskId, handle: unfinished.handle }, this.#write);
    } catch (err) {
      log.warn({ err, taskId: this.#taskId }, "task not found again yet");
      if (!this.#over) this.#timer = setTimeout(() => void this.recover(unfinished), recoveryRetryMs).unref();
      return;
    }
    if (this.#over) return;
    if (found.status === "never_started") return this.#fail("swarm_failed", NOTHING_RAN);
    this.#watch(Promise.resolve(found.exit));
    if (found.lostOutput) this.#gap("Output was lost while the sidecar was down.");
    if (found.status === "running") this.#runs(unfinished.task.startedAt);
  }

  /**
   * Ends the task: by the swarm's own CLI where it can, and by its processes in any case.
   * @throws HivegateError as the executor; the task then goes on
   */
  async stop(asked: Asked = "stop"): Promise<void> {
    this.#stopping ??= this.#stop(asked).finally(() => {
      this.#stopping = undefined;
    });
    await this.#stopping;
  }

  /** Lets go; the process runs on, and the next start of the sidecar finds it again. */
  detach(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #start(request: SpawnRequest): Promise<void> {
    const { exit } = await this.#startProcess(request);
    this.#watch(exit);
    this.#runs(null);
  }

  /** What fails in here leaves nothing running behind. */
  async #startProcess(request: SpawnRequest): Promise<{ exit: Promise<Exit> }> {
    const { cli, executor, ledger, log } = this.#context;
    try {
      await cli.prepare();
      return await executor.start(
        { taskId: this.#taskId, argv: cli.spawnArgv(request) },
        { output: this.#write, remember: (handle) => ledger.remember(this.#taskId, handle) },
      );
    } catch (cause) {
      log.warn({ err: cause, taskId: this.#taskId }, "task not started");
      const { code, message } = asHivegateError(cause);
      const told = `${message} ${NOTHING_RAN}`;
      this.#fail(code, told);
      throw new HivegateError(code, told, { cause });
    }
  }

  async #stop(asked: Asked): Promise<void> {
    const { executor, ledger, stopGraceMs } = this.#context;
    await this.#started.catch(() => {});
    if (this.#over) return;
    this.#asked ??= asked;
    ledger.askStop(this.#taskId, this.#asked === "stop");
    try {
      if (await this.#stopByCli()) await withinMs(this.ended, stopGraceMs, undefined);
      if (!this.#over) await executor.stop(this.#taskId, { graceMs: stopGraceMs });
      await withinMs(this.ended, stopGraceMs, undefined);
    } catch (thrown) {
      this.#asked = null;
      ledger.askStop(this.#taskId, false);
      throw thrown;
    }
  }

  async #stopByCli(): Promise<boolean> {
    const { cli, ledger, log } = this.#context;
    const swarmId = ledger.get(this.#taskId)?.swarmId;
    if (!swarmId || !cli.has("stop")) return false;
    try {
      await cli.control("stop", swarmId);
      return true;
    } catch (err) {
      log.warn({ err, taskId: this.#taskId }, "the swarm's own stop failed; ending its processes");
      return false;
    }
  }

  #runs(sinceMs: number | null): void {
    const { now, taskRunMs } = this.#context;
    const startedAt = sinceMs ?? now();
    if (sinceMs === null) this.#change({ state: "running", startedAt });
    const leftMs = Math.max(0, startedAt + taskRunMs - now());
    this.#timer = setTimeout(() => this.#timeIsUp(), leftMs).unref();
  }

  #timeIsUp(): void {
    this.stop("time_is_up").catch((err) => {
      this.#context.log.error({ err, taskId: this.#taskId }, "task over its time could not be stopped");
    });
  }

  #watch(exit: Promise<Exit>): void {
    exit
      .then((how) => this.#finish(how))
      .catch((err) => {
        // Left unfinished in the ledger: the next start of the sidecar looks again.
        this.#context.log.error({ err, taskId: this.#taskId }, "the end of a task was not recorded");
      });
  }

  readonly #write: OutputSink = (stream, text) => {
    if (this.#over) return;
    const { ledger, log, now, output } = this.#context;
    try {
      if (this.#outputLost) ledger.addGap(this.#taskId, "Output could not be stored.", now());
      this.#outputLost = false;
      ledger.addOutput(this.#taskId, stream, text, now());
      output.changed(this.#taskId);
      if (stream === "stdout") this.#identify(text);
    } catch (err) {
      this.#outputLost = true;
      log.error({ err, taskId: this.#taskId }, "output could not be stored");
    }
  };

  #identify(text: string): void {
    if (this.#beginning === null) return;
    this.#beginning += text;
    const swarmId = this.#context.profile.swarmId(this.#beginning);
    if (swarmId === null && this.#beginning.length < READ_CHARS) return;
    this.#beginning = null;
    if (swarmId !== null) this.#change({ swarmId });
    this.#identified.resolve();
  }

  #gap(reason: string): void {
    const { ledger, now, output } = this.#context;
    ledger.addGap(this.#taskId, reason, now());
    output.changed(this.#taskId);
  }

  async #finish(exit: Exit): Promise<void> {
    if (this.#over) return;
    const { ledger, profile } = this.#context;
    const seen = endSeen(profile, this.#asked, exit, ledger.output(this.#taskId, "end", READ_CHARS));
    // What was seen is recorded at once, so that there is no moment at which it could be lost.
    const end = seen.state === "unknown" ? ((await this.#endBySwarm()) ?? seen) : seen;
    if (!this.#over) this.#end({ ...end, exitCode: exit.exitCode });
  }

  async #endBySwarm(): Promise<TaskEnd | null> {
    const { cli, ledger, log } = this.#context;
    const swarmId = ledger.get(this.#taskId)?.swarmId;
    if (!swarmId) return null;
    return endBySwarm(cli, swarmId).catch((err: unknown) => {
      log.warn({ err, taskId: this.#taskId }, "the swarm does not tell how a task ended");
      return null;
    });
  }

  #fail(code: HivegateError["code"], message: string): void {
    this.#end({ state: "failed", error: { code, message }, neverRan: true });
  }

  #end(patch: TaskPatch): void {
    this.detach();
    try {
      this.#change({ ...patch, endedAt: this.#context.now() });
    } finally {
      this.#identified.resolve();
      this.#ended.resolve();
    }
  }

  #change(patch: TaskPatch): void {
    const { ledger, now, onChange, output } = this.#context;
    const task = ledger.change(this.#taskId, patch, now());
    output.changed(this.#taskId);
    onChange(task);
  }
}
