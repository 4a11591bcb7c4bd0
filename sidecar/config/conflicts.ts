import { LIMITS } from "../../shared/limits.ts";
import type { ConfigConflict } from "../../shared/protocol/config.ts";
import type { Alerts } from "../alerts.ts";

/** Two changed the same server without knowing of each other: that is an alert, and in the status for as long as we run. */
export class Conflicts {
  readonly #ports: { alerts: Pick<Alerts, "raise">; now(): number };
  readonly #list: ConfigConflict[] = [];

  constructor(ports: { alerts: Pick<Alerts, "raise">; now(): number }) {
    this.#ports = ports;
  }

  /** The newest last. */
  get list(): ConfigConflict[] {
    return [...this.#list];
  }

  report(conflict: Omit<ConfigConflict, "at">): void {
    const { message, ...details } = conflict;
    this.#ports.alerts.raise({
      kind: "config_conflict",
      message: `MCP server ${conflict.name}: ${message}`,
      details,
    });
    this.#list.push({ ...conflict, at: this.#ports.now() });
    if (this.#list.length > LIMITS.configConflicts) this.#list.shift();
  }
}
