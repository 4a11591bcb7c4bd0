/** What a stream's owner wants to see, and how often: said to the gateway until that has heard it. */
import type { Clock } from "../clock.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { Filters, Mode } from "../protocol/client.ts";
import { GatewayUnreachable, mayHaveTakenEffect, mayRetry } from "./client-errors.ts";

/** Where nothing is wanted the gateway decides. */
export type Wanted = { filters?: Filters; mode?: Mode };

export type WishesPorts = {
  clock: Clock;
  random(): number;
  /** At the beginning. */
  wanted: Wanted;
  /** Resolves when the gateway does as it was told. */
  say(wanted: Wanted): Promise<unknown>;
  /** The gateway will not, whenever it is asked. */
  refused(thrown: unknown): void;
};

const RETRY: Backoff = { firstMs: 500, mostMs: 15_000 };

export class Wishes {
  readonly #ports: WishesPorts;
  #wanted: Wanted;
  /** What of it the gateway has heard on this connection. */
  #heard: Wanted = {};
  #isOpen = false;
  #isSaying = false;
  #attempt = 0;
  #cancelRetry = () => {};

  constructor(ports: WishesPorts) {
    this.#ports = ports;
    this.#wanted = ports.wanted;
  }

  /** All of it, for the address that a new connection is opened at. */
  withAddress(): Wanted {
    this.#heard = this.#wanted;
    return this.#wanted;
  }

  want(change: Wanted): void {
    this.#wanted = { ...this.#wanted, ...change };
    void this.#say();
  }

  /** The connection is open. Its owner may have changed its mind while it was being opened. */
  opened(): void {
    this.#isOpen = true;
    void this.#say();
  }

  lost(): void {
    this.#isOpen = false;
    this.#cancelRetry();
  }

  /** Says what the gateway has not heard yet. One thing at a time: what is wanted while it is said comes after. */
  async #say(): Promise<void> {
    const unheard = this.#unheard();
    if (!this.#isOpen || this.#isSaying || !unheard) return;
    this.#cancelRetry();
    this.#isSaying = true;
    try {
      await this.#ports.say(unheard);
    } catch (thrown) {
      // The next connection's address says it.
      if (thrown instanceof GatewayUnreachable) return;
      // Whether the gateway goes by it, or by what it had heard before, nobody knows.
      if (mayHaveTakenEffect(thrown)) this.#heard = {};
      if (mayRetry(thrown)) {
        this.#sayAgain();
        return;
      }
      this.#ports.refused(thrown);
    } finally {
      this.#isSaying = false;
    }
    this.#attempt = 0;
    this.#heard = { ...this.#heard, ...unheard };
    await this.#say();
  }

  #sayAgain(): void {
    const delayMs = backoffMs(RETRY, this.#attempt++, this.#ports.random());
    this.#cancelRetry = this.#ports.clock.after(delayMs, () => void this.#say());
  }

  #unheard(): Wanted | null {
    const { filters, mode } = this.#wanted;
    const unheard = {
      ...(filters && filters !== this.#heard.filters && { filters }),
      ...(mode && mode !== this.#heard.mode && { mode }),
    };
    return Object.keys(unheard).length > 0 ? unheard : null;
  }
}
