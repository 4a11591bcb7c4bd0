/** An audit log in a database in memory, with entries in it. */
import type { Seal } from "../../shared/audit/chain.ts";
import { AuditLog } from "../../worker/hive/audit-log.ts";
import type { Sql } from "../../worker/hive/sql.ts";
import { openSql } from "../../worker/host/deno/sql.ts";
import type { KeptEvent } from "../../worker/mcp/events.ts";
import { aSeal, sha256Hex } from "./digests.ts";

export const inMemory = (): Sql & { close(): void } => openSql(":memory:");

export const anEvent = (change: Partial<KeptEvent> = {}): KeptEvent => ({
  kind: "request",
  ...{ atMs: 1_000, requestId: "r", hive: "default", client: "alice", method: "tools/call" },
  ...{ server: "demo", tool: "echo", outcome: "ok", code: null, durationMs: 5, cache: null },
  ...{ requestBytes: 10, responseBytes: 20, traceId: null },
  ...change,
});

export type AuditLogOptions = {
  entries: number;
  subject?: string;
  seal?: Seal;
  mostBytes?: number;
  sql?: Sql;
};

export function anAuditLog({ entries, subject = "alice", ...given }: AuditLogOptions): AuditLog {
  const { seal = aSeal(), mostBytes = 1_000_000, sql = inMemory() } = given;
  const log = new AuditLog({ hive: "default", sql, sha256: sha256Hex, seal, mostBytes, now: () => 1_000 });
  for (let count = 0; count < entries; count++)
    log.append([anEvent({ client: subject, requestId: `r${count}` })]);
  return log;
}

export const exported = (log: AuditLog): string[] => [
  ...log.lines(0, 1_000_000),
  JSON.stringify({ head: log.head }),
];
