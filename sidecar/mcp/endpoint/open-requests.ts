import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { Tally } from "./tally.ts";

/**
 * What clients have open at the same time: requests that wait for their answers, and streams that are read. Each takes
 * one of the sidecar's connections, and tasks, telemetry and everybody else need some as well.
 */
export class OpenRequests {
  readonly #ofClient = new Tally();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A request came; `end` when it has its answer. @throws HivegateError `overloaded` */
  begin(client: string): void {
    if (this.#ofClient.of(client) >= LIMITS.mcpRequestsPerClient || this.#size >= LIMITS.mcpRequests)
      throw new HivegateError(
        "overloaded",
        "Too many requests and streams are open. Close some, or try again later.",
      );
    this.add(client);
  }

  /** The same of a stream, which is the answer to a request that was let in. */
  add(client: string): void {
    this.#size++;
    this.#ofClient.add(client, 1);
  }

  end(client: string): void {
    this.#size--;
    this.#ofClient.add(client, -1);
  }
}
