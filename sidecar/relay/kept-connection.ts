import { HivegateError } from "../../shared/errors.ts";
import { backoffMs } from "../../shared/pressure/backoff.ts";
import type { OrchestratorNotice } from "../../shared/relay/records.ts";
import type { Orchestrator } from "./orchestrator.ts";
import type { OpenSocket } from "./orchestrator-socket.ts";

/** A change of state, without its time. */
export type ConnectionState = Pick<OrchestratorNotice, "state" | "attempt" | "delay_ms">;

export type KeptConnectionPorts = {
  /** A socket is open. Nothing but what it needs first may be sent until `ready` was called. */
  onOpen(socket: OpenSocket): void;
  onMessage(data: string | Uint8Array): void;
  onRoom(): void;
  /** The socket is over; what was sent over it and not answered may have been received or not. */
  onLost(): void;
  /** Each change, the first one included. */
  onState(state: ConnectionState): void;
};

/**
 * One connection to one orchestrator that comes back by itself: after a loss with growing, jittered delays, and when
 * the circuit is open whenever it lets a probe through.
 */
export class KeptConnection {
  readonly #orchestrator: Orchestrator;
  readonly #ports: KeptConnectionPorts;
  readonly #stopping = new AbortController();
  #socket: OpenSocket | null = null;
  #state: ConnectionState = { state: "connecting" };
  #attempt = 0;
  #readySinceMs: number | null = null;
  #cancelRetry: (() => void) | null = null;

  constructor(orchestrator: Orchestrator, ports: KeptConnectionPorts) {
    this.#orchestrator = orchestrator;
    this.#ports = ports;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The socket, once it is ready for messages. */
  get socket(): OpenSocket | null {
    return this.#state.state === "connected" && this.#socket?.isOpen ? this.#socket : null;
  }

  start(): void {
    this.#become({ state: "connecting" });
    void this.#connect();
  }

  /** What an open connection needs first is done: messages may go. */
  ready(): void {
    this.#readySinceMs = this.#orchestrator.options.clock.now();
    this.#become({ state: "connected" });
  }

  /** Gives the socket up, as if it had been lost. */
  drop(): void {
    this.#socket?.close(1001);
  }

  /** For good: nothing is heard of it any more. */
  stop(): void {
    this.#stopping.abort();
    this.#cancelRetry?.();
    this.#socket?.close(1000);
    this.#socket = null;
  }

  async #connect(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      const socket = await this.#orchestrator.open({
        signal,
        onMessage: (data) => {
          if (!signal.aborted) this.#ports.onMessage(data);
        },
        onRoom: () => {
          if (!signal.aborted) this.#ports.onRoom();
        },
        onClose: (code, reason) => this.#lost(code, reason),
      });
      if (signal.aborted) return socket.close(1000);
      this.#socket = socket;
      this.#ports.onOpen(socket);
    } catch (err) {
      if (signal.aborted) return;
      if (!isCircuitOpen(err)) this.#warn("cannot use the orchestrator", { err });
      this.#retry();
    }
  }

  #lost(code: number, reason: string): void {
    const { clock, rules } = this.#orchestrator.options;
    this.#socket = null;
    if (this.#stopping.signal.aborted) return;
    this.#warn("lost the orchestrator", { code, reason });
    // One that accepts connections only to end them is waited for longer each time.
    const readyMs = this.#readySinceMs === null ? 0 : clock.now() - this.#readySinceMs;
    if (readyMs >= rules.retryBaseMs) this.#attempt = 0;
    this.#readySinceMs = null;
    this.#become({ state: "interrupted" });
    this.#ports.onLost();
    this.#retry();
  }

  #retry(): void {
    if (this.#stopping.signal.aborted) return;
    const { guard, options } = this.#orchestrator;
    const { retryBaseMs, retryMaxMs } = options.rules;
    const isOpen = guard.circuit.state !== "closed";
    const delayMs = isOpen
      ? Math.max(guard.retryInMs, retryBaseMs)
      : backoffMs({ firstMs: retryBaseMs, mostMs: retryMaxMs }, this.#attempt, options.random());
    this.#attempt++;
    this.#become({
      state: isOpen ? "circuit_open" : "reconnecting",
      attempt: this.#attempt,
      delay_ms: delayMs,
    });
    // Whoever heard of it may have had enough.
    if (this.#stopping.signal.aborted) return;
    this.#cancelRetry = options.clock.after(delayMs, () => void this.#connect());
  }

  /** The first failure is news, those after it are the same one. */
  #warn(message: string, details: object): void {
    const { publicUrl, options } = this.#orchestrator;
    options.log[this.#attempt < 2 ? "warn" : "debug"]({ orchestrator: publicUrl, ...details }, message);
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#ports.onState(state);
  }
}

const isCircuitOpen = (error: unknown): boolean =>
  error instanceof HivegateError && error.code === "circuit_open";
