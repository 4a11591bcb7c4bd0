/** What a hive remembers of requests: the audit log, and the figures of tools that are made of the same events. */
import { z } from "zod";
import type { AuditEntry, AuditHead, Seal, Sha256Hex } from "../../shared/audit/chain.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { EventBatch } from "../mcp/events.ts";
import { series } from "../metrics.ts";
import { AuditLog } from "./audit-log.ts";
import type { Sql } from "./sql.ts";
import { type CountedEvent, SavedToolFigures, type StatsReport, ToolFigures } from "./tool-figures.ts";

export type RecordsPorts = {
  hive: string;
  sql: Sql;
  sha256: Sha256Hex;
  seal: Seal;
  now(): number;
  limits?: { auditBytes: number; figuresSavedEvents: number };
};

/** Some entries of the audit log, as lines of its export, and where its end is. */
export type AuditPage = { lines: string[]; head: AuditHead };

const SavedFigures = z.object({ seq: z.number(), figures: SavedToolFigures });
const Batches = z.array(z.string());
/** The part of an entry that counts. */
const RequestEntry = z.object({
  kind: z.literal("request"),
  method: z.string(),
  server: z.string().nullable(),
  tool: z.string().nullable(),
  outcome: z.enum(["ok", "error", "refused", "cancelled"]),
  cache: z.enum(["hit", "miss", "joined"]).nullable(),
  durationMs: z.number(),
});

/** Entries in memory at once while they are counted again. */
const PAGE = 500;

export class HiveRecords {
  readonly #ports: RecordsPorts;
  readonly #log: AuditLog;
  readonly #figures: ToolFigures;
  readonly #limits: { auditBytes: number; figuresSavedEvents: number };
  #batches: string[];
  #unsaved = 0;
  #lost = 0;

  constructor(ports: RecordsPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? LIMITS;
    ports.sql.exec("CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
    this.#log = new AuditLog({ ...ports, mostBytes: this.#limits.auditBytes });
    this.#batches = Batches.safeParse(this.#load("batches")).data ?? [];
    const saved = SavedFigures.safeParse(this.#load("figures")).data;
    const most = { tools: LIMITS.countedTools, servers: LIMITS.countedServers };
    this.#figures = new ToolFigures(most, ports.now(), saved?.figures);
    this.#countAfter(saved?.seq ?? 0);
  }

  /** One that came before is passed over. @throws when it cannot be stored: none of it is */
  record({ id, items: events, lost }: EventBatch): void {
    if (this.#batches.includes(id)) return;
    const batches = [...this.#batches, id].slice(-LIMITS.knownBatches);
    const entries: AuditEntry[] = [...events];
    if (lost > 0) entries.push({ kind: "gap", atMs: this.#ports.now(), lost });
    this.#log.append(entries, () => this.#save("batches", batches));
    this.#batches = batches;
    this.#lost += lost;
    for (const event of events) this.#count(event);
    if (this.#unsaved >= this.#limits.figuresSavedEvents) this.#saveFigures();
  }

  audit(after: number, limit: number): AuditPage {
    return { lines: this.#log.lines(after, Math.min(limit, LIMITS.auditPage)), head: this.#log.head };
  }

  stats(): StatsReport {
    return this.#figures.report();
  }

  *samples(): Generator<[series: string, value: number], void, void> {
    yield* this.#figures.samples();
    yield [series("audit_entries_total"), this.#log.head.seq];
    yield [series("audit_bytes"), this.#log.bytes];
    yield [series("audit_lost_total"), this.#lost];
  }

  /** What came after the figures were stored is in the log. */
  #countAfter(seq: number): void {
    for (let after = seq; ; ) {
      const rows = this.#log.rows(after, PAGE);
      for (const { entry } of rows) {
        const request = RequestEntry.safeParse(parsed(entry));
        if (request.success) this.#count(request.data);
      }
      const last = rows.at(-1);
      if (!last) return;
      after = last.seq;
    }
  }

  #count(event: CountedEvent): void {
    this.#figures.add(event);
    this.#unsaved++;
  }

  #saveFigures(): void {
    this.#save("figures", { seq: this.#log.head.seq, figures: this.#figures.saved() });
    this.#unsaved = 0;
  }

  #load(key: string): unknown {
    return parsed(this.#ports.sql.exec("SELECT value FROM records WHERE key = ?", key)[0]?.value);
  }

  #save(key: string, value: unknown): void {
    this.#ports.sql.exec("INSERT OR REPLACE INTO records VALUES (?, ?)", key, JSON.stringify(value));
  }
}

/** Undefined: it is no JSON, for nobody knows who has altered it. */
function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
