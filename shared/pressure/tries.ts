/**
 * A few tries at once, and then none for a while: for what each request has to ask for itself, since on Workers none may
 * wait for another's. Nothing hangs on a try's end, of which nobody may ever hear: a request may die with its client.
 */
export class Tries {
  readonly #most: number;
  readonly #everyMs: number;
  #left = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(most: number, everyMs: number) {
    this.#most = most;
    this.#everyMs = everyMs;
  }

  /** Whether one may try. */
  take(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= this.#everyMs) {
      this.#sinceMs = nowMs;
      this.#left = this.#most;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** One came to its end: for the rest of the while nobody need try again. */
  settle(): void {
    this.#left = 0;
  }
}
