import type { ErrorCode } from "../../shared/errors.ts";
import type { RelayMode } from "../../shared/relay/records.ts";

export type Direction = "to_orchestrator" | "to_client";

/** What the relay counts, as plain numbers since the start (links and sessions: at the moment). */
export class RelayMetrics {
  links = 0;
  readonly sessions: Record<RelayMode, number> = { shared: 0, dedicated: 0 };
  readonly messages: Record<Direction, number> = { to_orchestrator: 0, to_client: 0 };
  /** Of texts: characters. */
  readonly bytes: Record<Direction, number> = { to_orchestrator: 0, to_client: 0 };
  /** Messages that were refused or given up, by code. */
  readonly errors: Partial<Record<ErrorCode, number>> = {};
  /** Answers that nobody waited for any more. */
  unclaimed = 0;
  /** Lines that the audit had no room for. */
  auditLost = 0;
  /** Hears how long each request took to be answered, in milliseconds. */
  answered: (durationMs: number) => void = () => {};

  passed(direction: Direction, data: string | Uint8Array): void {
    this.messages[direction]++;
    this.bytes[direction] += data.length;
  }

  refused(code: ErrorCode): void {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}
