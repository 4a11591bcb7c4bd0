/**
 * Tasks as the gateway sees them: created once, run when their turn comes, watched, controlled, and found again after
 * a restart.
 */
import { HivegateError } from "../../shared/errors.ts";
import type {
  CreateTask,
  CreateTaskResult,
  SwarmList,
  SwarmStatus,
  Telemetry,
} from "../../shared/protocol/sidecar.ts";
import { hasEnded, type Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import type { AdmissionLimits } from "./admission.ts";
import type { Executor } from "./executor.ts";
import { commandRunner } from "./fallback/command-runner.ts";
import type { McpRunner } from "./fallback/mcp-runner.ts";
import { type HybridFlags, RunnerChain } from "./fallback/runner-chain.ts";
import type { Ledger } from "./ledger.ts";
import type { Profile } from "./profiles/profile.ts";
import { type EventsReader, TaskOutput } from "./task-output.ts";
import { TaskTurns } from "./task-turns.ts";
import { type Control, SwarmCli } from "./tasks-cli.ts";
import { withinMs } from "./tasks-deadline.ts";
import { type RunContext, type RunRequest, TaskRun } from "./tasks-run.ts";

/** What MCP can add to an answer; may take long or fail, which costs nothing but the telemetry. */
export type TelemetrySource = {
  taskStatus(taskId: string): Promise<Telemetry>;
  swarmStatus(): Promise<Telemetry>;
};

export type TasksOptions = {
  ledger: Ledger;
  executor: Executor;
  profile: Profile;
  /** The swarm's CLI, to which the profile adds its arguments. */
  cli: readonly string[];
  /** Who else can do tasks, and in which order they are asked. */
  mcp: McpRunner;
  hybrid: HybridFlags;
  telemetry: TelemetrySource;
  telemetryTimeoutMs: number;
  commandTimeoutMs: number;
  onChange(task: Task): void;
  now(): number;
  log: Logger;
  /** Where they differ from `LIMITS`. */
  limits?: Partial<AdmissionLimits>;
} & Partial<Pick<RunContext, "stopGraceMs" | "recoveryRetryMs">>;

const UNAVAILABLE: Telemetry = { status: "telemetry_unavailable" };

export class Tasks {
  readonly #options: TasksOptions;
  readonly #cli: SwarmCli;
  readonly #runners: RunnerChain;
  readonly #context: RunContext;
  readonly #turns: TaskTurns;
  readonly #runs = new Map<string, TaskRun>();
  #asking: Promise<Telemetry> | undefined;
  #closed = false;

  constructor(options: TasksOptions) {
    const { ledger, executor, profile, cli, onChange, now, log } = options;
    this.#options = options;
    this.#cli = new SwarmCli({ executor, profile, cli, timeoutMs: options.commandTimeoutMs });
    this.#runners = new RunnerChain(commandRunner(executor, this.#cli), options.mcp, options.hybrid);
    this.#context = {
      ...{ ledger, profile, onChange, now, log },
      runners: this.#runners,
      cli: this.#cli,
      output: new TaskOutput({ ledger }),
      stopGraceMs: options.stopGraceMs ?? 5_000,
      recoveryRetryMs: options.recoveryRetryMs ?? 5_000,
    };
    this.#turns = new TaskTurns({
      ...{ ledger, onChange, now, log, limits: options.limits, method: executor.method },
      output: this.#context.output,
      canStart: () => this.#runners.canStart(),
      start: (request) => void this.#start(request, () => this.#waitAgain(request.taskId)),
      retryMs: this.#context.recoveryRetryMs,
    });
  }

  /**
   * Runs a task, or finds the one of this id: equal requests, however close, run once. Resolves when its
   * process runs and MCP has answered or had its time; at once when the task has to wait for its turn.
   * @throws HivegateError `idempotency_conflict`, `rate_limited`, `overloaded`, or why it could not be started
   */
  async create(create: CreateTask): Promise<CreateTaskResult> {
    if (this.#closed) throw new HivegateError("shutting_down");
    const { telemetry, telemetryTimeoutMs } = this.#options;
    const { taskId } = create;
    // Nothing is awaited between the ledger and the start, so a second request finds the first one's run.
    const { task, created } = this.#turns.begin(create);
    if (created) this.#options.onChange(task);
    if (task.state === "queued") return { task, created, telemetry: UNAVAILABLE };
    const run = created ? this.#start(create) : this.#runs.get(taskId);
    try {
      await run?.started;
    } catch (thrown) {
      const again = this.get(taskId);
      if (again.state !== "queued") throw thrown;
      return { task: again, created, telemetry: UNAVAILABLE };
    }
    this.#throwIfNeverRan(taskId);

    // A swarm that has named itself knows the task; asked earlier, it would only say that it does not.
    const identified = run?.identified ?? Promise.resolve();
    const [answer] = await Promise.all([
      withinMs(
        identified.then(() => telemetry.taskStatus(taskId)),
        telemetryTimeoutMs,
        UNAVAILABLE,
      ),
      withinMs(identified, telemetryTimeoutMs, undefined),
    ]);
    return { task: this.get(taskId), created, telemetry: answer };
  }

  /** @throws HivegateError `unknown_task` */
  get(taskId: string): Task {
    const task = this.#options.ledger.get(taskId);
    if (!task) throw new HivegateError("unknown_task");
    return task;
  }

  /** As `Ledger.list`. */
  list(swarmIds: readonly string[] | null = null): Task[] {
    return this.#options.ledger.list(swarmIds);
  }

  /** A task's events as Server-Sent Events: see `TaskOutput.open`. */
  events(taskId: string, reader: EventsReader): ReadableStream<Uint8Array> {
    return this.#context.output.open(taskId, reader);
  }

  /**
   * Stops, pauses or resumes a task and gives it back as it then is.
   * @throws HivegateError `unknown_task`, `task_ended`, `not_supported`, or why it did not work
   */
  async control(taskId: string, control: Control): Promise<Task> {
    // A start that is under way may come to nothing, and then its task waits again.
    if (control === "stop") await this.#runs.get(taskId)?.started.catch(() => {});
    const task = this.get(taskId);
    if (task.state === "queued" && control === "stop") return this.#turns.stop(taskId);
    if (task.state === "queued") throw new HivegateError("not_supported", "The task waits for its turn.");
    const run = this.#runs.get(taskId);
    if (hasEnded(task.state) || !run) throw new HivegateError("task_ended");
    if (control === "stop") await run.stop();
    else await this.#pauseOrResume(task, control, run);
    return this.get(taskId);
  }

  /** @throws HivegateError `not_supported`, or why nobody tells of the swarms */
  async swarms(): Promise<SwarmList> {
    const [list, telemetry] = await Promise.all([this.#runners.swarms(), this.#swarmTelemetry()]);
    return { ...list, telemetry };
  }

  /** What the swarm's own commands say alone. @throws HivegateError `not_supported`, or why they say nothing */
  async swarmsByCommand(): Promise<Omit<SwarmList, "telemetry">> {
    return { swarms: await this.#cli.swarms(), method: this.#options.executor.method };
  }

  /** Some swarms and their tasks, or all. @throws HivegateError as `swarms` */
  async status(swarmIds: readonly string[] | null = null): Promise<SwarmStatus> {
    const { swarms, ...rest } = await this.swarms();
    const asked = swarms.filter(({ swarmId }) => swarmIds === null || swarmIds.includes(swarmId));
    return { swarms: asked, tasks: this.list(swarmIds), ...rest };
  }

  /** Finds every task again whose end is not known, and those that wait. Call once, before anything is created. */
  async recover(): Promise<void> {
    const unfinished = this.#options.ledger.unfinished();
    this.#turns.resume(unfinished);
    const begun = unfinished.filter(({ task }) => task.state !== "queued");
    await Promise.all(begun.map((found) => this.#run(found.task.taskId).recover(found)));
    this.#turns.startNext();
  }

  /** Ends the event streams and lets go of running tasks, which go on. */
  close(): void {
    this.#closed = true;
    this.#turns.close();
    for (const run of this.#runs.values()) run.detach();
    this.#context.output.close();
  }

  #start(request: RunRequest, waitAgain?: () => boolean): TaskRun {
    const run = this.#run(request.taskId);
    // Whoever asked hears of a failure through `started`; nobody else needs to.
    run.start(request, waitAgain).catch(() => {});
    return run;
  }

  #waitAgain(taskId: string): boolean {
    const waits = this.#turns.again(taskId);
    if (waits) this.#runs.delete(taskId);
    return waits;
  }

  #run(taskId: string): TaskRun {
    const run = new TaskRun(taskId, this.#context);
    this.#runs.set(taskId, run);
    void run.ended.then(() => {
      if (this.#runs.get(taskId) !== run) return;
      this.#runs.delete(taskId);
      this.#turns.over(taskId);
    });
    return run;
  }

  async #pauseOrResume(task: Task, control: "pause" | "resume", run: TaskRun): Promise<void> {
    if (task.method === "mcp-fallback" || !this.#cli.has(control)) throw new HivegateError("not_supported");
    if (task.swarmId === null)
      throw new HivegateError(
        "swarm_unavailable",
        "The swarm has not told its id yet. Try again in a moment.",
      );
    await this.#cli.control(control, task.swarmId);
    run.paused(control === "pause" ? this.#options.now() : null);
  }

  /** Requests that waited for the same start hear the same. */
  #throwIfNeverRan(taskId: string): void {
    const { error } = this.get(taskId);
    if (error && this.#options.ledger.neverRan(taskId)) throw new HivegateError(error.code, error.message);
  }

  /** Asked for once for all who want to know at the same time. */
  #swarmTelemetry(): Promise<Telemetry> {
    const { telemetry, telemetryTimeoutMs } = this.#options;
    this.#asking ??= telemetry.swarmStatus().finally(() => {
      this.#asking = undefined;
    });
    return withinMs(this.#asking, telemetryTimeoutMs, UNAVAILABLE);
  }
}
