import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ChainVerifier,
  type KnownPlace,
  type Verdict,
  type VerifyOptions,
} from "../../../../shared/audit/verify.ts";
import { canonicalJson } from "../../../../shared/wire/canonical-json.ts";
import { anAuditLog, anEvent, exported, inMemory } from "../../../support/audit-log.ts";
import { aSeal, sha256Hex } from "../../../support/digests.ts";

function verdict(lines: readonly string[], known?: KnownPlace): Verdict {
  const verifier = new ChainVerifier({ sha256: sha256Hex, sealOf: () => aSeal(), known });
  for (const line of lines) verifier.push(line);
  return verifier.end();
}

/** Ten entries and their head. */
const lines = exported(anAuditLog({ entries: 10 }));
const [head = ""] = lines.slice(-1);
const body = lines.slice(0, -1);

describe("an export of the audit log", () => {
  it("T7 proves itself when nothing has been done to it", () => {
    expect(verdict(lines)).toEqual({
      ...{ ok: true, from: 1, to: 10, hash: expect.any(String), isSealed: true, isKnownDropped: false },
    });
    expect(verdict(exported(anAuditLog({ entries: 0 })))).toMatchObject({ ok: true, from: 0, to: 0 });
  });

  it("T7 shows the first entry that was altered, to the last character", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(), fc.constantFrom("x", "0", " "), (place, at, by) => {
        const line = body[place] ?? "";
        const changed = line.slice(0, at % line.length) + by + line.slice((at % line.length) + 1);
        const isSame = changed === line || isEqualJson(changed, line);
        const found = verdict([...body.with(place, changed), head]);
        expect(isSame ? { ok: true } : { ok: false, seq: place + 1 }).toMatchObject(
          found.ok ? { ok: true } : { ok: false, seq: found.seq },
        );
      }),
      // The number itself may become that of an entry before it.
      { numRuns: 500, examples: [[9, 8, " "]] },
    );
  });

  it("T7 shows that an entry is missing, was put in, was moved, or comes twice", () => {
    expect(verdict([...body.toSpliced(4, 1), head])).toMatchObject({ ok: false, seq: 5 });
    expect(verdict([...body.toSpliced(4, 0, body[6] ?? ""), head])).toMatchObject({ ok: false, seq: 5 });
    expect(verdict([...body.toSpliced(4, 2, body[5] ?? "", body[4] ?? ""), head])).toMatchObject({ seq: 5 });
    expect(verdict([...body.toSpliced(4, 0, body[4] ?? ""), head])).toMatchObject({ ok: false, seq: 6 });
    expect(verdict([...body.toSpliced(4, 0, "{}"), head])).toMatchObject({ ok: false, seq: 5 });
  });

  it("T7 S6 shows what is nested too deep to be an entry", () => {
    const deep = (body[4] ?? "").replace('"r4"', "[".repeat(100_000) + "]".repeat(100_000));
    expect(verdict([...body.with(4, deep), head])).toMatchObject({ ok: false, seq: 5 });
  });

  it("T7 shows that its beginning or its end is missing", () => {
    expect(verdict([...body.slice(2), head])).toMatchObject({ ok: false, seq: 2 });
    expect(verdict(body)).toMatchObject({ ok: false, seq: 11 });
    expect(verdict([...body.slice(0, 7), head])).toMatchObject({ ok: false, seq: 8 });
    expect(verdict([head])).toMatchObject({ ok: false, seq: 1 });
  });

  it("T7 shows by the seal that everything was written anew, if not with the gateway's key", () => {
    const forged = exported(anAuditLog({ entries: 10, subject: "nobody", seal: aSeal("key", 8) }));
    expect(verdict(forged)).toEqual({ ok: false, seq: 10, reason: expect.stringContaining("not sealed") });
    const under = (sealOf: VerifyOptions["sealOf"]) => {
      const verifier = new ChainVerifier({ sha256: sha256Hex, sealOf });
      for (const line of forged) verifier.push(line);
      return verifier.end();
    };
    expect(under(null)).toMatchObject({ ok: true, isSealed: null });
    expect(under(() => null)).toMatchObject({ ok: false, reason: expect.stringContaining("not at hand") });
  });

  it("T7 says that a place known from before was dropped, where a checkpoint tells of that", () => {
    const log = anAuditLog({ entries: 20, mostBytes: 20_000 });
    const known = { seq: log.head.seq, hash: log.head.hash };
    expect(verdict(exported(log), known)).toMatchObject({ ok: true, isKnownDropped: false });
    for (let count = 0; count < 100; count++) log.append([anEvent()]);
    expect(verdict(exported(log), known)).toMatchObject({ ok: true, isKnownDropped: true });
    expect(verdict(exported(log).slice(1), known)).toMatchObject({ ok: false });
  });

  it("T7 shows by a place known from before that an older state was put back, or another in its place", () => {
    const known = { seq: 10, hash: JSON.parse(body[9] ?? "").hash };
    const older = exported(anAuditLog({ entries: 8 }));
    expect(verdict(older)).toMatchObject({ ok: true });
    expect(verdict(older, known)).toMatchObject({ ok: false, seq: 9 });
    expect(verdict(lines, known)).toMatchObject({ ok: true });
    const other = exported(anAuditLog({ entries: 10, subject: "nobody" }));
    expect(verdict(other, known)).toMatchObject({ ok: false, seq: 10 });
  });

  it("T7 does not pass over what the log says of itself, until that has been looked into", () => {
    const sql = inMemory();
    anAuditLog({ entries: 5, sql });
    sql.exec("DELETE FROM audit WHERE seq > 3");
    const cut = exported(anAuditLog({ entries: 2, sql }));
    const doubted = verdict(cut);
    expect(doubted).toMatchObject({
      ok: false,
      seq: 4,
      reason: expect.stringContaining("does not end where"),
    });
    expect(verdict(cut, { seq: 4, hash: JSON.parse(cut[3] ?? "").hash })).toMatchObject({ ok: true, to: 6 });
    expect(verdict(cut, { seq: 3, hash: JSON.parse(cut[2] ?? "").hash })).toEqual(doubted);
  });

  it("T7 may begin later where a checkpoint says so, and there alone", () => {
    const log = anAuditLog({ entries: 400, mostBytes: 20_000 });
    const trimmed = exported(log);
    const first: { seq: number } = JSON.parse(trimmed[0] ?? "");
    expect(first.seq).toBeGreaterThan(200);
    expect(verdict(trimmed)).toEqual({
      ok: true,
      from: first.seq,
      to: log.head.seq,
      hash: expect.any(String),
      ...{ isSealed: true, isKnownDropped: false },
    });
    expect(verdict(trimmed.slice(1))).toMatchObject({ ok: false, seq: first.seq });
    expect(log.bytes).toBeLessThanOrEqual(20_000 + 1_000);
  });
});

function isEqualJson(one: string, other: string): boolean {
  try {
    return canonicalJson(JSON.parse(one)) === canonicalJson(JSON.parse(other));
  } catch {
    return false;
  }
}
