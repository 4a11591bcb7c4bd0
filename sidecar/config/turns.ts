import { HivegateError } from "../../shared/errors.ts";

/** Does one thing after the other, in the order in which they came. */
export class Turns {
  readonly #limit: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws HivegateError `overloaded` when too many wait; or as `work` */
  take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limit)
      return Promise.reject(
        new HivegateError("overloaded", "Too many changes of the configuration wait. Try again later."),
      );
    this.#waiting++;
    const turn = this.#last.then(work).finally(() => {
      this.#waiting--;
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Resolves when nothing is under way or waiting that was there when it was asked. */
  async ended(): Promise<void> {
    await this.#last;
  }
}
