import { describe, expect, it } from "vitest";
import { HiveRecords } from "../../../../worker/hive/records.ts";
import type { Sql } from "../../../../worker/hive/sql.ts";
import { ToolFigures } from "../../../../worker/hive/tool-figures.ts";
import type { KeptEvent } from "../../../../worker/mcp/events.ts";
import { anEvent, inMemory } from "../../../support/audit-log.ts";
import { aSeal, sha256Hex } from "../../../support/digests.ts";

const figuresOf = (events: readonly KeptEvent[], tools = 100): ToolFigures => {
  const figures = new ToolFigures({ tools, servers: 10 }, 7);
  for (const event of events) figures.add(event);
  return figures;
};

describe("the figures of tools", () => {
  it("T9 count calls, errors and hits, with moving average and percentiles, by tool and by server", () => {
    const events = [
      ...Array.from({ length: 99 }, () => anEvent({ durationMs: 10 })),
      anEvent({ durationMs: 1_000, outcome: "error", code: -32000 }),
      anEvent({ durationMs: 1, tool: "other_tool", cache: "hit" }),
      anEvent({ outcome: "refused", code: "rate_limited", durationMs: 0 }),
      anEvent({ outcome: "cancelled", code: null, durationMs: 90_000 }),
    ];
    const { since, tools, servers } = figuresOf(events).report();
    expect(since).toBe(7);
    expect(tools[0]).toMatchObject({
      ...{ server: "demo", tool: "echo", count: 101, errors: 1, refused: 1, cancelled: 1, cache_hits: 0 },
      ...{ average_ms: expect.closeTo(109, 6) },
      ...{ p50_ms: expect.closeTo(10, 0), p95_ms: expect.closeTo(10, 0), p99_ms: expect.closeTo(10, 0) },
    });
    expect(tools[1]).toMatchObject({ tool: "other_tool", count: 1, cache_hits: 1 });
    expect(servers).toMatchObject([{ server: "demo", count: 102, errors: 1, cache_hits: 1 }]);
  });

  it("T9 are null where nothing is known, and count nothing but calls of tools", () => {
    expect(
      figuresOf([anEvent({ method: "tools/list", tool: null }), anEvent({ server: null })]).report(),
    ).toEqual({
      ...{ since: 7, tools: [], servers: [] },
    });
    expect(
      figuresOf([anEvent(), anEvent({ tool: "slow", outcome: "cancelled" })]).report().tools[1],
    ).toMatchObject({
      ...{ average_ms: null, p50_ms: null, p99_ms: null },
    });
  });

  it("S6 T9 have an end: names that only fail make room, and what finds none counts as other", () => {
    const made = Array.from({ length: 500 }, (_, name) =>
      anEvent({ tool: `made-up-${name}`, outcome: "error" }),
    );
    const real = Array.from({ length: 8 }, (_, name) => anEvent({ tool: `real-${name}` }));
    const { tools } = figuresOf([...made, ...real, ...made], 10).report();
    expect(tools.length).toBeLessThanOrEqual(11);
    expect(tools.map(({ tool }) => tool)).toEqual(expect.arrayContaining(real.map(({ tool }) => tool)));
    expect(tools.reduce((sum, { count }) => sum + count, 0)).toBe(1_008);
    const refused = figuresOf([anEvent({ tool: "guessed", outcome: "refused" })]).report();
    expect(refused.tools).toMatchObject([{ server: "other", tool: "other", refused: 1 }]);
  });
});

describe("a hive's records", () => {
  const open = (sql: Sql, figuresSavedEvents = 10, log: (message: string) => void = () => {}) =>
    new HiveRecords({
      ...{ hive: "default", sql, sha256: sha256Hex, seal: aSeal(), now: () => 7, log },
      limits: { auditBytes: 1_000_000, figuresSavedEvents },
    });
  const batch = (id: string, count: number, lost = 0) => ({
    ...{ id, lost },
    items: Array.from({ length: count }, (_, index) => anEvent({ durationMs: index + 1 })),
  });

  it("T9 survive at any moment, also what came since they were last stored", () => {
    for (const count of [0, 1, 9, 10, 11, 25]) {
      const sql = inMemory();
      const records = open(sql);
      for (let index = 0; index < count; index++) records.record(batch(`b${index}`, 1));
      expect(open(sql).stats(), `${count}`).toEqual(records.stats());
      expect([...open(sql).samples()]).toEqual([...records.samples()]);
    }
  });

  it("T7 T9 count a batch once that comes twice, also after everything was forgotten", () => {
    const sql = inMemory();
    const records = open(sql);
    records.record(batch("one", 3));
    records.record(batch("one", 3));
    open(sql).record(batch("one", 3));
    expect(open(sql).stats().tools).toMatchObject([{ count: 3 }]);
    expect(records.audit(0, 10).head.seq).toBe(3);
  });

  it("T7 T9 go on in both gateways while one replaces the other", () => {
    const sql = inMemory();
    const [old, fresh] = [open(sql, 3), open(sql, 3)];
    old.record(batch("last of the old one", 2));
    for (const id of ["b1", "b2"]) fresh.record(batch(id, 2));
    old.record(batch("late", 1));
    for (const records of [old, fresh, open(sql)]) {
      expect(records.audit(0, 10).lines).toHaveLength(7);
      expect(records.stats().tools).toMatchObject([{ count: 7 }]);
    }
  });

  it("T9 store figures of any size in rows of a size that databases take, and go on where they cannot", () => {
    const sql = inMemory();
    const names = Array.from({ length: 1_000 }, (_, name) => `${name}-${"é😀".repeat(400)}`);
    const events = names.map((tool) => anEvent({ tool }));
    open(sql, 1_000).record({ id: "many", items: events, lost: 0 });
    const sizes = sql.exec("SELECT length(CAST(piece AS BLOB)) AS bytes FROM figures");
    expect(sizes.length).toBeGreaterThan(2);
    for (const { bytes } of sizes) expect(bytes).toBeLessThan(2_000_000);
    sql.exec("DELETE FROM audit WHERE seq < 1000");
    expect(
      new Set(
        open(sql)
          .stats()
          .tools.map(({ tool }) => tool),
      ),
    ).toEqual(new Set(names));

    const logged: string[] = [];
    const records = open(sql, 1, (message) => logged.push(message));
    sql.exec("DROP TABLE figures");
    records.record(batch("one more", 1));
    expect(logged).toEqual(["figures not stored"]);
    expect(records.audit(1_000, 10).lines.at(-1)).toContain('"tool":"echo"');
  });

  it("T7 tell that something was lost, and how much", () => {
    const records = open(inMemory());
    records.record(batch("one", 1, 42));
    expect(records.audit(1, 10).lines.map((line) => JSON.parse(line).entry)).toEqual([
      { kind: "gap", atMs: 7, lost: 42 },
    ]);
    expect(new Map(records.samples()).get("hivegate_gateway_audit_lost_total")).toBe(42);
  });

  it("T9 begin anew where somebody has altered what was stored, rather than not at all", () => {
    const sql = inMemory();
    open(sql).record(batch("one", 12));
    sql.exec("UPDATE records SET value = 'x'");
    sql.exec("UPDATE figures SET piece = 'x'");
    sql.exec("UPDATE audit SET entry = 'x' WHERE seq = 2");
    expect(open(sql).stats().tools).toMatchObject([{ count: 11 }]);
  });
});
