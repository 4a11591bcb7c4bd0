import { LIMITS } from "../../../shared/limits.ts";

/** Keys of calls that had to make room for others: what they told is gone, and still they must not be made twice. */
export class SpentKeys {
  /** Until when each is known, the one that is forgotten first at the beginning. */
  readonly #untilMs = new Map<string, number>();

  add(client: string, key: string, nowMs: number): void {
    for (const [name, untilMs] of this.#untilMs) {
      if (untilMs > nowMs && this.#untilMs.size < LIMITS.spentStreamKeys) break;
      this.#untilMs.delete(name);
    }
    this.#untilMs.set(nameOf(client, key), nowMs + LIMITS.toolStreamKeptMs);
  }

  has(client: string, key: string, nowMs: number): boolean {
    return (this.#untilMs.get(nameOf(client, key)) ?? nowMs) > nowMs;
  }
}

const nameOf = (client: string, key: string): string => JSON.stringify([client, key]);
