/**
 * What a run leaves behind of its task: output, changes and the end go to the ledger, then to whoever listens.
 * While the ledger cannot be written, changes wait for it and lost output is counted as lost: neither a task's
 * end nor a hole in its output goes by in silence.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import type { OutputSink, OutputStream } from "./executor.ts";
import type { Given } from "./fallback/task-runner.ts";
import type { Ledger, TaskPatch } from "./ledger.ts";
import type { Profile } from "./profiles/profile.ts";
import { SEARCHED_CHARS, SwarmIdSearch } from "./swarm-id-search.ts";
import type { TaskOutput } from "./task-output.ts";

export type RecordContext = {
  ledger: Ledger;
  profile: Pick<Profile, "swarmId">;
  output: Pick<TaskOutput, "changed">;
  onChange(task: Task): void;
  now(): number;
  log: Logger;
  /** How long until what failed, because something is away or a disk is full, is tried anew. */
  recoveryRetryMs: number;
};

export class TaskRecord {
  readonly #context: RecordContext;
  readonly #taskId: string;
  readonly #ended = Promise.withResolvers<void>();
  readonly #identified = Promise.withResolvers<void>();
  /** While the swarm's id is still looked for in stdout. */
  #search: SwarmIdSearch | null;
  /** Why output is missing of which the ledger does not tell yet. */
  #loss: string | null = null;
  #lostOutput = false;
  /** What the ledger could not take yet. */
  #unsaved: TaskPatch = {};
  #retry: NodeJS.Timeout | undefined;
  /** When to tell of each stream's line that has not ended. */
  readonly #unfinished = new Map<OutputStream, NodeJS.Timeout>();
  #state: "open" | "ending" | "closed" = "open";

  constructor(taskId: string, context: RecordContext) {
    this.#taskId = taskId;
    this.#context = context;
    this.#search = new SwarmIdSearch(context.profile.swarmId);
  }

  /** Resolves when the swarm's id is known, or will never be. */
  get identified(): Promise<void> {
    return this.#identified.promise;
  }

  /** Resolves when the task's end is recorded. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether output is missing, so that what it lacks tells nothing. */
  get lostOutput(): boolean {
    return this.#lostOutput;
  }

  /** Goes on where an earlier life of the sidecar stopped. */
  resume(task: Task): void {
    this.closeLines();
    this.#search = new SwarmIdSearch(this.#context.profile.swarmId);
    if (task.swarmId !== null) this.#endSearch();
    else this.#identify(this.#context.ledger.output(this.#taskId, "beginning", SEARCHED_CHARS));
  }

  readonly write: OutputSink = (stream, text, throughBytes) => {
    if (this.#state !== "open") return;
    const { ledger, now, output } = this.#context;
    try {
      this.#tellLoss();
      const isUnfinished = ledger.addOutput(this.#taskId, stream, text, now(), throughBytes);
      // Where a line has ended it is another one that is unfinished now.
      if (!isUnfinished || text.includes("\n")) this.#forgetLine(stream);
      if (isUnfinished) this.#closeLineAfter(stream, LIMITS.unfinishedLineMs);
      output.changed(this.#taskId, "output");
    } catch (err) {
      this.#lose("Output could not be stored.", err);
    }
    if (stream === "stdout") this.#identify(text);
  };

  /** Says that output is missing from here on, and why. */
  lose(reason: string): void {
    this.#lose(reason);
    try {
      this.#tellLoss();
    } catch (err) {
      this.#context.log.error({ err, taskId: this.#taskId }, "lost output could not be noted yet");
    }
  }

  /** Tells of unfinished lines as far as they have come. @throws when the ledger cannot be written */
  closeLines(streams?: readonly OutputStream[]): void {
    const { ledger, now, output } = this.#context;
    ledger.closeLines(this.#taskId, now(), streams);
    output.changed(this.#taskId, "output");
  }

  /** An MCP server has the task: nobody has to look for a swarm's id in its output. */
  given({ note, swarmId }: Given): void {
    this.change({ method: "mcp-fallback", note, ...(swarmId !== null && { swarmId }) });
    this.#endSearch();
  }

  /** Changes the task now, or as soon as the ledger can be written. */
  change(patch: TaskPatch): void {
    this.#unsaved = { ...this.#unsaved, ...patch };
    this.#save();
  }

  /** Ends the task, as `change`; nothing is written after that. */
  end(patch: TaskPatch): void {
    if (this.#state === "open") this.#state = "ending";
    this.change({ ...patch, pausedAt: null, endedAt: this.#context.now() });
  }

  /** Writes nothing any more. */
  close(): void {
    this.#state = "closed";
    clearTimeout(this.#retry);
    this.#forgetLines();
  }

  #save(): void {
    if (this.#state === "closed") return;
    const { ledger, log, now, onChange, output, recoveryRetryMs } = this.#context;
    clearTimeout(this.#retry);
    let task: Task;
    try {
      this.#tellLoss();
      task = ledger.change(this.#taskId, this.#unsaved, now());
    } catch (err) {
      log.error({ err, taskId: this.#taskId }, "a task's state could not be stored yet");
      this.#retry = setTimeout(() => this.#save(), recoveryRetryMs).unref();
      return;
    }
    this.#unsaved = {};
    output.changed(this.#taskId, "state");
    onChange(task);
    if (task.endedAt === null) return;
    this.#forgetLines();
    this.#identified.resolve();
    this.#ended.resolve();
  }

  #identify(text: string): void {
    if (this.#search === null) return;
    try {
      const swarmId = this.#search.look(text);
      if (swarmId !== null) this.change({ swarmId });
      else if (!this.#search.isOver) return;
    } catch (err) {
      this.#context.log.warn({ err, taskId: this.#taskId }, "the swarm's id is not looked for any more");
    }
    this.#endSearch();
  }

  /** The swarm's id is known, or will never be. */
  #endSearch(): void {
    this.#search = null;
    this.#identified.resolve();
  }

  #lose(reason: string, err?: unknown): void {
    this.#lostOutput = true;
    if (this.#loss !== null) return;
    this.#loss = reason;
    if (err !== undefined)
      this.#context.log.error({ err, taskId: this.#taskId }, "output could not be stored");
  }

  /** A gap stands where the output is missing, so it comes before all that follows. */
  #tellLoss(): void {
    if (this.#loss === null) return;
    const { ledger, now, output } = this.#context;
    ledger.addGap(this.#taskId, this.#loss, now());
    this.#loss = null;
    output.changed(this.#taskId, "output");
  }

  #closeLineAfter(stream: OutputStream, waitMs: number): void {
    if (this.#unfinished.has(stream)) return;
    const close = () => {
      this.#unfinished.delete(stream);
      try {
        this.closeLines([stream]);
      } catch (err) {
        this.#context.log.error({ err, taskId: this.#taskId }, "an unfinished line could not be told of yet");
        this.#closeLineAfter(stream, this.#context.recoveryRetryMs);
      }
    };
    this.#unfinished.set(stream, setTimeout(close, waitMs).unref());
  }

  #forgetLine(stream: OutputStream): void {
    clearTimeout(this.#unfinished.get(stream));
    this.#unfinished.delete(stream);
  }

  #forgetLines(): void {
    for (const stream of [...this.#unfinished.keys()]) this.#forgetLine(stream);
  }
}
