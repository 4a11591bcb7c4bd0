/** Does something at most once: asked again, it says or throws what it did. */
export class Once<T> {
  readonly #work: () => T;
  #outcome: { value: T } | { thrown: unknown } | null = null;

  constructor(work: () => T) {
    this.#work = work;
  }

  get isDone(): boolean {
    return this.#outcome !== null;
  }

  do = (): T => {
    this.#outcome ??= this.#tried();
    if ("thrown" in this.#outcome) throw this.#outcome.thrown;
    return this.#outcome.value;
  };

  #tried(): { value: T } | { thrown: unknown } {
    try {
      return { value: this.#work() };
    } catch (thrown) {
      return { thrown };
    }
  }
}
