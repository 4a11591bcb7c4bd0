/** The link to the sidecar, kept up while it is wanted: dialled, and dialled again when it is lost. */
import { type Clock, pause } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Backoff, backoffMs } from "../../shared/pressure/backoff.ts";
import { BREAKER_RULES, type BreakerRules } from "../../shared/pressure/breaker.ts";
import { Guard } from "../../shared/pressure/guarded.ts";
import { Link, type LinkOptions, type LinkSocket } from "../../shared/relay/link.ts";
import type { OrchestratorState } from "../../shared/relay/records.ts";
import type { RelayCounts } from "./figures.ts";

/** Hears of one socket. */
export type LineListener = { received(bytes: Uint8Array): void; closed(): void };

/** Opens a WebSocket to the sidecar's relay. Given up when the signal is aborted. */
export type Dial = (listener: LineListener, signal: AbortSignal) => Promise<LinkSocket>;

/** How the link is: `attempt` is the next try's number, from 1, and `delayMs` when it comes. */
export type LineState = { state: OrchestratorState; attempt?: number; delayMs?: number };

export type LinePorts = Pick<LinkOptions, "clock" | "newInstance" | "received" | "onReset" | "onRoom"> & {
  clock: Clock;
  random(): number;
  dial: Dial;
  /**
   * Sends what was said in this moment, soon: a socket's message costs far more than its bytes, so that what comes in
   * several events of the runtime should go together. But nothing should have to wait for what may come.
   */
  soon(flush: () => void): void;
  counts: RelayCounts;
  changed(state: LineState): void;
  log(message: string, error: unknown): void;
};

const RETRY: Backoff = { firstMs: 250, mostMs: 10_000 };
/** A socket that opens is proof enough. */
const RULES: BreakerRules = { ...BREAKER_RULES, mostMs: 30_000, successesToClose: 1 };

export class Line {
  readonly link: Link;
  readonly #ports: LinePorts;
  readonly #guard: Guard;
  readonly #over = new AbortController();
  #attempt = 0;

  constructor(ports: LinePorts) {
    const { clock, random, changed } = ports;
    this.#ports = ports;
    this.#guard = new Guard({ rules: RULES, clock, random, saved: null, changed: () => {} });
    this.link = new Link({
      ...ports,
      onUp: () => {
        this.#attempt = 0;
        changed({ state: "connected" });
      },
      onDown: () => changed({ state: "interrupted" }),
    });
    void this.#keepUp(this.#over.signal);
  }

  close(code: number, reason: string): void {
    this.link.close(code, reason);
    this.#over.abort();
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    const { clock, counts, log } = this.#ports;
    while (!signal.aborted) {
      try {
        const { closed } = await this.#guard.run(
          () => this.#dialled(signal),
          () => true,
        );
        await closed;
      } catch (error) {
        counts.failedDials++;
        // A circuit that is open was logged when it failed.
        if (!(error instanceof HivegateError && error.code === "circuit_open")) log("relay link", error);
      }
      if (!signal.aborted) await pause(clock, this.#nextDelayMs(), signal);
    }
  }

  #nextDelayMs(): number {
    const { random, changed } = this.#ports;
    const backoff = backoffMs(RETRY, this.#attempt, random());
    const delayMs = Math.max(backoff, this.#guard.retryInMs);
    this.#attempt++;
    const state = delayMs > backoff ? "circuit_open" : "reconnecting";
    changed({ state, attempt: this.#attempt, delayMs });
    return delayMs;
  }

  /** Resolves once the socket is open; `closed` does when it is over. */
  async #dialled(over: AbortSignal): Promise<{ closed: Promise<void> }> {
    const { clock, dial, counts } = this.#ports;
    const { link } = this;
    const late = new AbortController();
    const cancel = clock.after(LIMITS.relayDialMs, () => late.abort(new HivegateError("timeout")));
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    /** On some hosts a message is there before it is known that the socket is open. */
    let early: Uint8Array[] | null = [];
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      link.detached();
      resolve();
    };
    counts.dials++;
    try {
      const received = (bytes: Uint8Array) => {
        if (early) early.push(bytes);
        else if (!isOver) link.receive(bytes);
      };
      const socket = await dial({ received, closed: end }, AbortSignal.any([over, late.signal]));
      if (isOver) return { closed };
      link.attach({
        send(bytes) {
          try {
            socket.send(bytes);
          } catch {
            // Closed, but its event has not come yet. What was sent is kept, and goes over the next one.
            queueMicrotask(end);
          }
        },
        // The other end may never answer: whoever closes a socket is done with it.
        close(code, reason) {
          socket.close(code, reason);
          queueMicrotask(end);
        },
      });
      const first = early;
      early = null;
      for (const bytes of first) received(bytes);
    } finally {
      cancel();
    }
    return { closed };
  }
}
