/** The token in use, and a fresh one in time before it expires, where its owner can give one. */
import type { Clock } from "../clock.ts";

export type TokenRefreshPorts = {
  clock: Clock;
  token: string;
  /** Null: there is never another one. */
  fresh: (() => Promise<string>) | null;
  /** Shows the gateway a fresh token. */
  show(token: string): Promise<{ expires_at: number }>;
};

/** A token is renewed when this part of its life is left, but not more often than every so many milliseconds. */
const LEFT = 0.2;
const LEAST_MS = 1_000;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export class TokenRefresh {
  readonly #ports: TokenRefreshPorts;
  token: string;
  #cancel = () => {};

  constructor(ports: TokenRefreshPorts) {
    this.#ports = ports;
    this.token = ports.token;
  }

  /** The token in use expires then. */
  before(expiresMs: number): void {
    this.#cancel();
    if (!this.#ports.fresh) return;
    const leftMs = expiresMs - this.#ports.clock.now();
    const waitMs = Math.min(Math.max(leftMs * (1 - LEFT), LEAST_MS), LONGEST_TIMEOUT_MS);
    this.#cancel = this.#ports.clock.after(waitMs, () => void this.#renew());
  }

  /** False: there is no other token, or it could not be had. */
  async now(): Promise<boolean> {
    const before = this.token;
    try {
      this.token = (await this.#ports.fresh?.()) ?? before;
    } catch {
      // Its owner knows why; the connection that needs it says what comes of that.
    }
    return this.token !== before;
  }

  stop(): void {
    this.#cancel();
  }

  async #renew(): Promise<void> {
    if (!(await this.now())) return;
    const shown = await this.#ports.show(this.token).catch(() => null);
    if (shown) this.before(shown.expires_at);
  }
}
