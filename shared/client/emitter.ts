/** Named events with typed values. `on` answers with the way to stop listening. */
export class Emitter<Events extends object> {
  readonly #listeners: { [Name in keyof Events]?: Set<(value: Events[Name]) => void> } = {};

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners[name] ?? new Set<(value: Events[Name]) => void>();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of this.#listeners[name] ?? []) listener(value);
  }

  /** Nobody hears anything any more. */
  clear(): void {
    for (const name in this.#listeners) this.#listeners[name]?.clear();
  }
}
