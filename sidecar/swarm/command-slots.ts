/** Lets a limited number of commands run at once. Each is a process with the memory of a whole Node. */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";

export class CommandSlots {
  readonly #waitMs: number;
  #free: number = LIMITS.swarmCommands;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  constructor(options: { waitMs: number }) {
    this.#waitMs = options.waitMs;
  }

  /**
   * Runs a command when its turn comes.
   * @throws HivegateError `overloaded` when too many wait, or it waited for too long; or as the command
   */
  async run<T>(command: () => Promise<T>): Promise<T> {
    await this.#take();
    try {
      return await command();
    } finally {
      this.#handOn();
    }
  }

  async #take(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#waiting.size >= LIMITS.waitingSwarmCommands) throw tooMany();
    const { promise: turn, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(() => {
      this.#waiting.delete(resolve);
      reject(tooMany());
    }, this.#waitMs);
    await turn.finally(() => clearTimeout(timer));
  }

  #handOn(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

const tooMany = (): HivegateError =>
  new HivegateError("overloaded", "Too many commands of the swarm run at once. Try again later.");
