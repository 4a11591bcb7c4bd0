/** A swarm's CLI as its profile describes it: short commands, a few at once. */
import { HivegateError } from "../../shared/errors.ts";
import type { Swarm } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { CommandSlots } from "./command-slots.ts";
import type { CommandResult, Executor } from "./executor.ts";
import type { Profile, SpawnRequest } from "./profiles/profile.ts";

export type Control = "stop" | "pause" | "resume";

export class SwarmCli {
  readonly #executor: Executor;
  readonly #profile: Profile;
  readonly #cli: readonly string[];
  readonly #timeoutMs: number;
  readonly #slots: CommandSlots;
  #listing: Promise<Swarm[]> | undefined;
  #preparing: Promise<void> | undefined;
  #isPrepared = false;

  constructor(options: { executor: Executor; profile: Profile; cli: readonly string[]; timeoutMs: number }) {
    this.#executor = options.executor;
    this.#profile = options.profile;
    this.#cli = options.cli;
    this.#timeoutMs = options.timeoutMs;
    this.#slots = new CommandSlots({ waitMs: options.timeoutMs });
  }

  /**
   * Makes the swarm ready for tasks: done once for all who ask at the same time, and anew by the next task when
   * it failed or was forgotten.
   * @throws HivegateError `swarm_failed`, `overloaded`, or as the executor
   */
  async prepare(): Promise<void> {
    if (this.#isPrepared) return;
    this.#preparing ??= this.#prepare().finally(() => {
      this.#preparing = undefined;
    });
    await this.#preparing;
  }

  /** Call it when a task failed: its container may have been made anew since the swarm was made ready. */
  forgetPrepared(): void {
    this.#isPrepared = false;
  }

  spawnArgv(request: SpawnRequest): string[] {
    return this.#profile.spawn(this.#cli, request);
  }

  /**
   * The swarms, asked for once for all who want to know at the same time.
   * @throws HivegateError `not_supported`, `swarm_failed`, `timeout`, `overloaded`, or as the executor
   */
  async swarms(): Promise<Swarm[]> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /**
   * One swarm as it is from now on, which a command that began earlier would not tell. It is looked for among all,
   * because a CLI may ignore the id that it is given; some tell whose task it is as well.
   * @throws as `swarms`
   */
  async swarm({ taskId, swarmId }: Pick<Task, "taskId" | "swarmId">): Promise<Swarm | undefined> {
    const swarms = await this.#list();
    return (
      swarms.find((swarm) => swarm.swarmId === swarmId) ?? swarms.find((swarm) => swarm.taskId === taskId)
    );
  }

  has(control: Control): boolean {
    return this.#profile.controls[control] !== null;
  }

  /** @throws HivegateError `not_supported`, `swarm_failed`, `timeout`, `overloaded`, or as the executor */
  async control(control: Control, swarmId: string): Promise<void> {
    const command = this.#profile.controls[control];
    if (!command) throw new HivegateError("not_supported");
    const result = await this.#run(command.argv(this.#cli, swarmId));
    if (!command.succeeded(result)) throw failed(result);
  }

  async #prepare(): Promise<void> {
    await this.#makeReady();
    this.#isPrepared = true;
  }

  async #makeReady(): Promise<void> {
    const { prepare } = this.#profile;
    if (!prepare) return;
    const isReady = async () => prepare.isReady(await this.#run([...this.#cli, ...prepare.check]));
    if (await isReady()) return;
    const result = await this.#run([...this.#cli, ...prepare.argv]);
    // Some CLIs exit 0 without having done anything, so the swarm itself is asked again.
    if (result.exitCode !== 0 || !(await isReady()))
      throw new HivegateError("swarm_failed", "The swarm could not be made ready.", { cause: result });
  }

  async #list(): Promise<Swarm[]> {
    const { list } = this.#profile;
    if (!list) throw new HivegateError("not_supported");
    return this.#read(await this.#run(list.argv(this.#cli)), list.read);
  }

  /** @throws HivegateError `swarm_failed`, `timeout` */
  #read(result: CommandResult, read: (result: CommandResult) => Swarm[]): Swarm[] {
    try {
      return read(result);
    } catch (cause) {
      throw cause instanceof HivegateError ? cause : failed(result, cause);
    }
  }

  async #run(argv: readonly string[]): Promise<CommandResult> {
    const result = await this.#slots.run(() => this.#executor.run(argv, { timeoutMs: this.#timeoutMs }));
    if (result.ended === "timeout") throw new HivegateError("timeout", "The swarm's command took too long.");
    if (result.ended === "output_limit") throw failed(result);
    return result;
  }
}

const failed = (result: CommandResult, thrown?: unknown): HivegateError =>
  new HivegateError("swarm_failed", undefined, { cause: { result, thrown } });
