/** What servers asked one client of 2025 and it has not answered yet. */
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Answer } from "./answer.ts";
import { NOT_OFFERED } from "./capabilities.ts";
import { notificationText, requestText } from "./json-rpc.ts";

export class Asked {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, (answer: McpAnswer) => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Asks on the stream of the request that it belongs to. @throws HivegateError `timeout`, or the signal's reason */
  ask(answer: Answer, request: McpRequest, signal: AbortSignal): Promise<McpAnswer> {
    if (!answer.mayStream || this.#waiting.size >= LIMITS.mcpAsked) return Promise.resolve(NOT_OFFERED);
    const id = `hivegate-${++this.#count}`;
    return new Promise((resolve, reject) => {
      const settled = () => {
        this.#waiting.delete(id);
        cancelTimer();
        signal.removeEventListener("abort", onAbort);
      };
      const giveUp = (reason: unknown) => {
        settled();
        const notification = { method: "notifications/cancelled", params: { requestId: id } };
        answer.before(notificationText(notification));
        reject(reason);
      };
      const onAbort = () => giveUp(signal.reason);
      const cancelTimer = this.#clock.after(LIMITS.mcpAskedMs, () => giveUp(new HivegateError("timeout")));
      this.#waiting.set(id, (said) => {
        settled();
        resolve(said);
      });
      signal.addEventListener("abort", onAbort);
      answer.before(requestText(id, request));
    });
  }

  /** The client answers; one that answers what nobody asked is not heard. */
  answered(id: string | number, answer: McpAnswer): void {
    if (typeof id === "string") this.#waiting.get(id)?.(answer);
  }
}
