/** Requests that wait for their answers: the frames that carry their `requestId`. */
import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";
import { errorFromAnswer } from "./client-errors.ts";

type Waiting = {
  resolve(frame: GatewayFrame): void;
  reject(error: Error): void;
  cancelTimeout(): void;
};

export class Requests {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Sends a request by `send` and resolves with its answer.
   * @throws HivegateError what the gateway answered, `timeout`, or `overloaded` when too many wait
   */
  start(send: (requestId: string) => void, timeoutMs: number): Promise<GatewayFrame> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= LIMITS.commandsPerSession) throw new HivegateError("overloaded");
      const requestId = String(++this.#count);
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(requestId);
        reject(new HivegateError("timeout"));
      });
      this.#waiting.set(requestId, { resolve, reject, cancelTimeout });
      send(requestId);
    });
  }

  /** Whether the frame answers a request that waits. */
  settle(frame: GatewayFrame): boolean {
    const requestId = "requestId" in frame ? frame.requestId : undefined;
    const waiting = requestId === undefined ? undefined : this.#waiting.get(requestId);
    if (requestId === undefined || !waiting) return false;
    this.#waiting.delete(requestId);
    waiting.cancelTimeout();
    if (frame.type === "error") waiting.reject(errorFromAnswer(400, frame));
    else waiting.resolve(frame);
    return true;
  }

  failAll(error: Error): void {
    for (const waiting of this.#waiting.values()) {
      waiting.cancelTimeout();
      waiting.reject(error);
    }
    this.#waiting.clear();
  }
}
