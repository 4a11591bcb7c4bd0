import { describe, expect, it } from "vitest";
import type { AuditLog } from "../../../../worker/hive/audit-log.ts";
import type { Sql } from "../../../../worker/hive/sql.ts";
import { anAuditLog, exported, inMemory } from "../../../support/audit-log.ts";
import { aSeal } from "../../../support/digests.ts";

const entriesOf = (log: AuditLog): Record<string, unknown>[] =>
  log.lines(0, 1_000).map((line): Record<string, unknown> => JSON.parse(line).entry);
const reopened = (sql: Sql, seal = aSeal()) => anAuditLog({ entries: 0, sql, seal });

describe("an audit log that is opened again", () => {
  it("T7 goes on where it was left", () => {
    const sql = inMemory();
    const before = exported(anAuditLog({ entries: 3, sql }));
    const log = reopened(sql);
    expect(exported(log)).toEqual(before);
    log.append([{ kind: "request", atMs: 1 }]);
    expect(log.head.seq).toBe(4);
  });

  it("T7 says in itself that its end was cut off, altered, written anew, or that nobody knows where it was", () => {
    const tricks: [statement: string, reason: string][] = [
      ["DELETE FROM audit WHERE seq > 2", "does not end where it was left"],
      ["UPDATE audit SET hash = '00' WHERE seq = 3", "does not end where it was left"],
      ["DELETE FROM audit_state", "does not end where it was left"],
      ["DELETE FROM audit", "does not end where it was left"],
      ["UPDATE audit_state SET mac = hash", "the seal of its end is wrong"],
      ["UPDATE audit_state SET kid = 'other'", "sealed with another key: other"],
    ];
    for (const [statement, reason] of tricks) {
      const sql = inMemory();
      anAuditLog({ entries: 3, sql });
      sql.exec(statement);
      const doubts = entriesOf(reopened(sql)).filter(({ kind }) => kind === "doubt");
      expect(doubts, statement).toMatchObject([{ reason: expect.stringContaining(reason) }]);
      // It is said once.
      expect(entriesOf(reopened(sql)).filter(({ kind }) => kind === "doubt")).toHaveLength(1);
    }
  });

  it("T7 says in itself that the key has changed", () => {
    const sql = inMemory();
    anAuditLog({ entries: 3, sql });
    expect(entriesOf(reopened(sql, aSeal("next", 9))).at(-1)).toMatchObject({
      ...{ kind: "doubt", reason: "its end is sealed with another key: key" },
    });
  });

  it("T7 says in itself what was done to it while it was open, and seals nothing of that as if it were its own", () => {
    const sql = inMemory();
    const log = anAuditLog({ entries: 3, sql });
    sql.exec("UPDATE audit SET hash = '00' WHERE seq = 3");
    sql.exec("UPDATE audit_state SET hash = '00'");
    log.append([{ kind: "request", atMs: 1 }]);
    expect(entriesOf(log).map(({ kind }) => kind)).toEqual([
      ...["request", "request", "request", "doubt", "request"],
    ]);
  });

  it("T7 keeps all of a batch or, when that fails, none", () => {
    const sql = inMemory();
    const log = anAuditLog({ entries: 2, sql });
    const before = exported(log);
    const failing = () => {
      throw new Error("the disk is full");
    };
    expect(() => log.append([{ kind: "request", atMs: 1 }], failing)).toThrow("the disk is full");
    expect(exported(log)).toEqual(before);
    expect(exported(reopened(sql))).toEqual(before);
  });
});
