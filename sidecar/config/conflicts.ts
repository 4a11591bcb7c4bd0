import { LIMITS } from "../../shared/limits.ts";
import type { ConfigConflict } from "../../shared/protocol/config.ts";
import type { Logger } from "../log.ts";

/** Two changed the same server without knowing of each other: told in the log, and in the status for as long as we run. */
export class Conflicts {
  readonly #ports: { log: Logger; now(): number };
  readonly #list: ConfigConflict[] = [];
  #count = 0;

  constructor(ports: { log: Logger; now(): number }) {
    this.#ports = ports;
  }

  /** The newest last. */
  get list(): ConfigConflict[] {
    return [...this.#list];
  }

  /** How many there were since the start, also those that are not listed any more. */
  get count(): number {
    return this.#count;
  }

  report(conflict: Omit<ConfigConflict, "at">): void {
    this.#count++;
    this.#ports.log.warn(conflict, "two changed the same MCP server at once");
    this.#list.push({ ...conflict, at: this.#ports.now() });
    if (this.#list.length > LIMITS.configConflicts) this.#list.shift();
  }
}
