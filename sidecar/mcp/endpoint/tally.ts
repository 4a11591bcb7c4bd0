/** How many of something each client has. */
export class Tally {
  readonly #counts = new Map<string, number>();

  of(client: string): number {
    return this.#counts.get(client) ?? 0;
  }

  add(client: string, by: 1 | -1): void {
    const count = this.of(client) + by;
    if (count === 0) this.#counts.delete(client);
    else this.#counts.set(client, count);
  }
}
