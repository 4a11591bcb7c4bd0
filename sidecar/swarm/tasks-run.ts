/** One task's process, from its start (or its recovery) to its end. What happens is kept by its record. */
import { asHivegateError, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { within } from "../mcp/within.ts";
import type { Exit, Recovery } from "./executor.ts";
import type { RunnerChain } from "./fallback/runner-chain.ts";
import type { TaskPatch, UnfinishedTask } from "./ledger.ts";
import type { Profile, SpawnRequest } from "./profiles/profile.ts";
import type { TaskOutput } from "./task-output.ts";
import type { SwarmCli } from "./tasks-cli.ts";
import { withinMs } from "./tasks-deadline.ts";
import { type Asked, endBySwarm, endSeen, type TaskEnd } from "./tasks-end.ts";
import { type RecordContext, TaskRecord } from "./tasks-record.ts";

/** How much of the end of its output tells how a task ended. */
const READ_CHARS = 64 * 1024;

/** Of a task that is over its time where nobody can stop it. */
const LET_GO: TaskEnd = {
  state: "lost",
  error: { code: "timeout", message: "Its time limit is over, but it cannot be stopped. It may run on." },
};
const NOT_ENDED = "It was asked to stop, and its end was not seen yet. Look it up.";
export const NOTHING_RAN = "Nothing was run: the same request may be sent again.";

/** Failures that say nothing about the task itself: later, or with the swarm back, it may be started. */
const NOBODY_THERE: readonly ErrorCode[] = [
  "swarm_unavailable",
  "circuit_open",
  "mcp_unavailable",
  "timeout",
  "overloaded",
];

export type RunRequest = SpawnRequest & Pick<Task, "timeoutMs">;

export type RunContext = Omit<RecordContext, "profile" | "output"> & {
  runners: RunnerChain;
  profile: Profile;
  cli: SwarmCli;
  output: TaskOutput;
  /** How long a task that was asked to end may take before it is ended. */
  stopGraceMs: number;
};

export class TaskRun {
  readonly #context: RunContext;
  readonly #taskId: string;
  readonly #record: TaskRecord;
  #started: Promise<void> = Promise.resolve();
  #asked: Asked | null = null;
  #stopping: Promise<void> | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #over = false;

  constructor(taskId: string, context: RunContext) {
    this.#taskId = taskId;
    this.#context = context;
    this.#record = new TaskRecord(taskId, context);
  }

  /** Settles when the process runs; rejects with a HivegateError when it could not be started. */
  get started(): Promise<void> {
    return this.#started;
  }

  /** Resolves when the swarm's id is known, or will never be. */
  get identified(): Promise<void> {
    return this.#record.identified;
  }

  /** Resolves when the task's end is recorded. */
  get ended(): Promise<void> {
    return this.#record.ended;
  }

  /** `waitAgain` is called when nobody was there to start the task; where it says true, this run is over without an end. */
  start(request: RunRequest, waitAgain: () => boolean = () => false): Promise<void> {
    this.#started = this.#start(request, waitAgain);
    return this.#started;
  }

  /** Finds the process of an earlier life of the sidecar again; goes on trying while its runtime is away. */
  async recover(unfinished: UnfinishedTask): Promise<void> {
    const { runners, ledger, log } = this.#context;
    // Whoever asked while its runtime was away asked later than what was written down.
    this.#asked ??= unfinished.stopAsked ? "stop" : null;
    let found: Recovery;
    try {
      this.#record.resume(unfinished.task);
      const { handle } = unfinished;
      found = await runners.recover(
        { taskId: this.#taskId, handle, kept: ledger.keptBytes(this.#taskId) },
        {
          output: this.#record.write,
          // What the server said when it took the task says more.
          given: (given) => unfinished.task.note === undefined && this.#record.given(given),
        },
      );
    } catch (err) {
      log.warn({ err, taskId: this.#taskId }, "task not found again yet");
      this.#later(() => void this.recover(unfinished));
      return;
    }
    if (this.#over) return runners.letGo(this.#taskId);
    if (found.status === "never_started") return this.#fail("swarm_failed", NOTHING_RAN);
    if (found.lostOutput) this.#record.lose("Output was lost while the sidecar was down.");
    if (found.status === "running") this.#runs(unfinished.task);
    this.#watch(Promise.resolve(found.exit));
    if (found.status === "running" && unfinished.stopAsked) void this.#stopAgain();
  }

  /**
   * Ends the task: by the swarm's own CLI where it can, and by its processes in any case.
   * @throws HivegateError as the executor: the task then goes on; `timeout` when its end has not been seen yet
   */
  async stop(asked: Asked = "stop"): Promise<void> {
    this.#stopping ??= this.#stop(asked).finally(() => {
      this.#stopping = undefined;
    });
    await this.#stopping;
  }

  /** Keeps what the swarm was made to do: since when it is paused, or that it goes on. */
  paused(pausedAt: number | null): void {
    if (!this.#over) this.#record.change({ pausedAt });
  }

  /** Lets go; the process runs on, and the next start of the sidecar finds it again. */
  detach(): void {
    this.#release();
    this.#record.close();
  }

  async #start(request: RunRequest, waitAgain: () => boolean): Promise<void> {
    const { exit } = await this.#startProcess(request, waitAgain);
    if (this.#over) return this.#context.runners.letGo(this.#taskId);
    this.#runs({ startedAt: null, timeoutMs: request.timeoutMs });
    this.#watch(exit);
  }

  /** What fails in here leaves nothing running behind. */
  async #startProcess(request: SpawnRequest, waitAgain: () => boolean): Promise<{ exit: Promise<Exit> }> {
    const { runners, ledger, log } = this.#context;
    try {
      return await runners.start(request, {
        output: this.#record.write,
        remember: (handle) => ledger.remember(this.#taskId, handle),
        rememberDurably: (handle) => ledger.rememberDurably(this.#taskId, handle),
        given: (given) => this.#record.given(given),
      });
    } catch (cause) {
      log.warn({ err: cause, taskId: this.#taskId }, "task not started");
      const { code, message } = asHivegateError(cause);
      const told = `${message} ${NOTHING_RAN}`;
      if (!this.#over && NOBODY_THERE.includes(code) && waitAgain()) this.detach();
      else this.#fail(code, told);
      throw new HivegateError(code, told, { cause });
    }
  }

  async #stop(asked: Asked): Promise<void> {
    const { runners, stopGraceMs } = this.#context;
    await this.#started.catch(() => {});
    // Its process has ended: what is missing is the note of it.
    if (this.#over) return within(this.ended, stopGraceMs, () => new HivegateError("timeout", NOT_ENDED));
    this.#noteStop(this.#asked ?? asked);
    try {
      if (await this.#stopByCli()) await withinMs(this.ended, stopGraceMs, undefined);
      if (!this.#over) await runners.stop(this.#taskId, { graceMs: stopGraceMs });
    } catch (thrown) {
      // A run that was let go leaves the note: who takes it up again stops it.
      if (!this.#over) this.#noteStop(null);
      throw thrown;
    }
    await within(this.ended, stopGraceMs, () => new HivegateError("timeout", NOT_ENDED));
  }

  /** Goes on with a stop that an earlier life of the sidecar did not get done: whoever asked has nobody to ask again. */
  async #stopAgain(): Promise<void> {
    try {
      await this.stop();
    } catch (err) {
      this.#context.log.warn({ err, taskId: this.#taskId }, "a stop that was interrupted is not done yet");
      if (this.#over || (err instanceof HivegateError && err.code === "not_supported")) return;
      this.#noteStop("stop");
      this.#later(() => void this.#stopAgain());
    }
  }

  /** A full disk is no reason to let a task run on, so what cannot be noted is done all the same. */
  #noteStop(asked: Asked | null): void {
    const { ledger, log } = this.#context;
    this.#asked = asked;
    try {
      ledger.askStop(this.#taskId, asked === "stop");
    } catch (err) {
      log.error({ err, taskId: this.#taskId }, "a request to stop could not be stored");
    }
  }

  async #stopByCli(): Promise<boolean> {
    const { cli, ledger, log } = this.#context;
    const { swarmId, method } = ledger.get(this.#taskId) ?? {};
    if (!swarmId || method === "mcp-fallback" || !cli.has("stop")) return false;
    try {
      await cli.control("stop", swarmId);
      return true;
    } catch (err) {
      log.warn({ err, taskId: this.#taskId }, "the swarm's own stop failed; ending its processes");
      return false;
    }
  }

  /** `startedAt` is null when it is only just seen to run. */
  #runs({ startedAt, timeoutMs }: Pick<Task, "startedAt" | "timeoutMs">): void {
    const nowMs = this.#context.now();
    const sinceMs = startedAt ?? nowMs;
    // A clock that was set back gives no more time than there was, nor more than a timer can wait.
    this.#stopAfter(Math.min(timeoutMs, Math.max(0, sinceMs + timeoutMs - nowMs)));
    if (startedAt === null) this.#record.change({ state: "running", startedAt: sinceMs });
  }

  #stopAfter(waitMs: number): void {
    if (!this.#over) this.#deadline = setTimeout(() => void this.#timeIsUp(), waitMs).unref();
  }

  async #timeIsUp(): Promise<void> {
    const { log, recoveryRetryMs } = this.#context;
    try {
      await this.stop("time_is_up");
    } catch (err) {
      if (err instanceof HivegateError && err.code === "not_supported") return this.#end(LET_GO);
      log.error({ err, taskId: this.#taskId }, "task over its time could not be stopped yet");
    }
    this.#stopAfter(recoveryRetryMs);
  }

  #watch(exit: Promise<Exit>): void {
    exit
      .then((how) => {
        if (how.lostOutput) this.#record.lose("Output may be missing: the connection that it came by broke.");
        return this.#finish(how);
      })
      .catch((err) => {
        // Left unfinished in the ledger: the next start of the sidecar looks again.
        this.#context.log.error({ err, taskId: this.#taskId }, "the end of a task was not seen");
      });
  }

  async #finish(exit: Exit): Promise<void> {
    if (this.#over) return;
    try {
      const end = await this.#endOf(exit);
      if (!this.#over) this.#end({ ...end, exitCode: exit.exitCode });
    } catch (err) {
      this.#context.log.error({ err, taskId: this.#taskId }, "a task's output could not be read yet");
      this.#later(() => void this.#finish(exit));
    }
  }

  async #endOf(exit: Exit): Promise<TaskEnd> {
    const { ledger, profile } = this.#context;
    const { lostOutput } = this.#record;
    this.#record.closeLines();
    const output = ledger.output(this.#taskId, "end", READ_CHARS);
    const seen = endSeen(profile, this.#asked, { ...exit, lostOutput }, output);
    return seen.state === "lost" && !exit.end ? ((await this.#endBySwarm()) ?? seen) : seen;
  }

  async #endBySwarm(): Promise<TaskEnd | null> {
    const { cli, ledger, log } = this.#context;
    const swarmId = ledger.get(this.#taskId)?.swarmId ?? null;
    return endBySwarm(cli, { taskId: this.#taskId, swarmId }).catch((err: unknown) => {
      log.warn({ err, taskId: this.#taskId }, "the swarm does not tell how a task ended");
      return null;
    });
  }

  #fail(code: HivegateError["code"], message: string): void {
    this.#end({ state: "failed", error: { code, message }, neverRan: true });
  }

  #end(patch: TaskPatch): void {
    // Its container may have been made anew, and then the swarm is not ready any more.
    if (patch.state === "failed" || patch.state === "lost") this.#context.cli.forgetPrepared();
    this.#release();
    this.#record.end(patch);
  }

  #release(): void {
    this.#over = true;
    this.#context.runners.letGo(this.#taskId);
    clearTimeout(this.#deadline);
    clearTimeout(this.#retry);
  }

  #later(work: () => void): void {
    if (!this.#over) this.#retry = setTimeout(work, this.#context.recoveryRetryMs).unref();
  }
}
