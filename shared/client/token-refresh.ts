/** The token to come with, and a fresh one before it expires or after, where its owner can give one. */
import { type Clock, pause } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import { GatewayUnreachable } from "./client-errors.ts";

export type TokenRefreshPorts = {
  clock: Clock;
  random(): number;
  token: string;
  /** Null: there is never another one. */
  fresh: (() => Promise<string>) | null;
  /** Shows the gateway a fresh token, and resolves with how long that one lives. */
  show(token: string): Promise<{ lifeMs: number }>;
};

/** A token is renewed when this part of its life is left, but not more often than every so many milliseconds. */
const LEFT = 0.2;
const LEAST_MS = 1_000;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** Between tries to renew a token that still lives. */
const RETRY: Backoff = { firstMs: 1_000, mostMs: 30_000 };
/** An owner who has not given a token by then cannot give one now. */
const ASK_MS = 30_000;

export class TokenRefresh {
  readonly #ports: TokenRefreshPorts;
  readonly #stopped = new AbortController();
  /** The last one that its owner gave. */
  #token: string;
  /** The one that the gateway knows. */
  #shown: string;
  #attempt = 0;
  #cancel = () => {};

  constructor(ports: TokenRefreshPorts) {
    this.#ports = ports;
    this.#token = ports.token;
    this.#shown = ports.token;
  }

  /** The token to come with now. */
  present(): string {
    this.#shown = this.#token;
    return this.#token;
  }

  /** The gateway has taken it, and it lives so much longer. */
  accepted(lifeMs: number): void {
    this.#attempt = 0;
    this.#renewAfter(Math.max(lifeMs * (1 - LEFT), LEAST_MS));
  }

  /**
   * Sees to another token after the gateway has refused the one that it knows. False: its owner has no other one.
   * @throws what its owner throws, or `timeout`: there is none now
   */
  async replace(): Promise<boolean> {
    this.#cancel();
    if (this.#token === this.#shown) this.#token = await this.#ask();
    return this.#token !== this.#shown;
  }

  /** Nobody is asked any more, and what was asked for comes to nothing. */
  stop(): void {
    this.#stopped.abort();
    this.#cancel();
  }

  #renewAfter(delayMs: number): void {
    this.#cancel();
    if (this.#stopped.signal.aborted || !this.#ports.fresh) return;
    const waitMs = Math.min(delayMs, LONGEST_TIMEOUT_MS);
    this.#cancel = this.#ports.clock.after(waitMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    try {
      this.#token = await this.#ask();
    } catch {
      // Its owner knows why.
      this.#renewAgain();
      return;
    }
    const token = this.#token;
    try {
      const { lifeMs } = await this.#ports.show(token);
      this.#shown = token;
      this.accepted(lifeMs);
    } catch (thrown) {
      // Without a connection there is nothing to renew: the next one comes with this token.
      if (!(thrown instanceof GatewayUnreachable)) this.#renewAgain();
    }
  }

  #renewAgain(): void {
    this.#renewAfter(backoffMs(RETRY, this.#attempt++, this.#ports.random()));
  }

  async #ask(): Promise<string> {
    const { clock, fresh } = this.#ports;
    const answered = new AbortController();
    const late = async () => {
      await pause(clock, ASK_MS, AbortSignal.any([this.#stopped.signal, answered.signal]));
      throw new HivegateError("timeout");
    };
    try {
      return await Promise.race([fresh?.() ?? this.#token, late()]);
    } finally {
      answered.abort();
    }
  }
}
