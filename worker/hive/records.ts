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
  log(message: string, error: unknown): void;
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

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS figures (part INTEGER PRIMARY KEY, piece TEXT NOT NULL)",
];
/** Whole characters, of four bytes at most: on Cloudflare a row has 2 MB. */
const PIECE = /.{1,400000}/gsu;

export class HiveRecords {
  readonly #ports: RecordsPorts;
  readonly #log: AuditLog;
  readonly #figures: ToolFigures;
  readonly #limits: { auditBytes: number; figuresSavedEvents: number };
  /** Up to which entry of the log they are counted. */
  #countedSeq: number;
  #unsaved = 0;
  #lost = 0;

  constructor(ports: RecordsPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? LIMITS;
    for (const statement of SCHEMA) ports.sql.exec(statement);
    this.#log = new AuditLog({ ...ports, mostBytes: this.#limits.auditBytes });
    const saved = SavedFigures.safeParse(this.#savedFigures()).data;
    const most = { tools: LIMITS.countedTools, servers: LIMITS.countedServers };
    this.#figures = new ToolFigures(most, ports.now(), saved?.figures);
    this.#countedSeq = Math.min(saved?.seq ?? 0, this.#log.head.seq);
    this.#catchUp();
  }

  /** One that came before is passed over. @throws when it cannot be stored: none of it is */
  record({ id, items: events, lost }: EventBatch): void {
    if (this.#knownBatches().includes(id)) return;
    const entries: AuditEntry[] = [...events];
    if (lost > 0) entries.push({ kind: "gap", atMs: this.#ports.now(), lost });
    const { from, to } = this.#log.append(entries, () => this.#saveBatch(id));
    this.#lost += lost;
    if (from > this.#countedSeq) this.#catchUp();
    else {
      for (const event of events) this.#count(event);
      this.#countedSeq = to;
    }
    if (this.#unsaved >= this.#limits.figuresSavedEvents) this.#saveFigures();
  }

  audit(after: number, limit: number): AuditPage {
    return this.#ports.sql.transaction(() => ({
      lines: this.#log.lines(after, Math.min(limit, LIMITS.auditPage)),
      head: this.#log.head,
    }));
  }

  stats(): StatsReport {
    this.#catchUp();
    return this.#figures.report();
  }

  *samples(): Generator<[series: string, value: number], void, void> {
    this.#catchUp();
    yield* this.#figures.samples();
    yield [series("audit_entries_total"), this.#log.head.seq];
    yield [series("audit_bytes"), this.#log.bytes];
    yield [series("audit_lost_total"), this.#lost];
  }

  /** What the figures do not hold yet is in the log: from before a restart, or from another gateway. */
  #catchUp(): void {
    for (;;) {
      const rows = this.#log.rows(this.#countedSeq, PAGE);
      for (const { entry } of rows) {
        const request = RequestEntry.safeParse(parsed(entry));
        if (request.success) this.#count(request.data);
      }
      this.#countedSeq = rows.at(-1)?.seq ?? this.#countedSeq;
      if (rows.length < PAGE) return;
    }
  }

  #count(event: CountedEvent): void {
    this.#figures.add(event);
    this.#unsaved++;
  }

  /** Only so that there is less to count after a restart: nothing else may fail with it. */
  #saveFigures(): void {
    const { sql, log } = this.#ports;
    this.#unsaved = 0;
    const text = JSON.stringify({ seq: this.#countedSeq, figures: this.#figures.saved() });
    try {
      sql.transaction(() => {
        sql.exec("DELETE FROM figures");
        for (const piece of text.match(PIECE) ?? [])
          sql.exec("INSERT INTO figures (piece) VALUES (?)", piece);
      });
    } catch (error) {
      log("figures not stored", error);
    }
  }

  #savedFigures(): unknown {
    const rows = this.#ports.sql.exec("SELECT piece FROM figures ORDER BY part");
    return parsed(rows.map(({ piece }) => piece).join(""));
  }

  #saveBatch(id: string): void {
    const ids = [...this.#knownBatches(), id].slice(-LIMITS.knownBatches);
    this.#ports.sql.exec("INSERT OR REPLACE INTO records VALUES ('batches', ?)", JSON.stringify(ids));
  }

  #knownBatches(): string[] {
    const [row] = this.#ports.sql.exec("SELECT value FROM records WHERE key = 'batches'");
    return Batches.safeParse(parsed(row?.value)).data ?? [];
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
