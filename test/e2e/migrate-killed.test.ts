import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fingerprintOf } from "../../sidecar/config/fingerprint.ts";
import { checkBackup } from "../../sidecar/config/migrate/backup.ts";
import { digestOf } from "../../sidecar/config/migrate/files.ts";
import { openTarget } from "../../sidecar/config/migrate/target.ts";
import { Random } from "../simulation/random.ts";
import { runMigrate } from "../support/migrate-cli.ts";
import { makeOldDatabase } from "../support/old-database.ts";

/** MIGRATE_KILLS=200 does all of them; otherwise as many as fit into a minute. */
const KILLS = Number(process.env.MIGRATE_KILLS) || null;
const BUDGET_MS = 60_000;
const seed = Number(process.env.MIGRATE_SEED) || randomInt(1, 2 ** 31);
const TIMEOUT_MS = KILLS === null ? 5 * 60_000 : KILLS * 60_000;
/** After so many a migration is left to finish, and its way back too. */
const FINISH_EVERY = 10;

const SIZE = { servers: 10_000, agents: 1_000, agentsPerServer: 10, enabled: 900 };

let home: string;
let paths: { old: string; state: string; store: string; backups: string };
let args: string[];
let oldBytes: string;
/** Of the whole contents. */
let whole: string;
/** How long a run takes, and how many lines it says. */
let length: { ms: number; lines: number };

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  const state = join(home, "state");
  paths = {
    old: join(home, "old.db"),
    state,
    store: join(state, "configs.db"),
    backups: join(state, "backups"),
  };
  args = ["--from", paths.old, "--state-dir", state];
  makeOldDatabase(paths.old, SIZE);
  oldBytes = digestOf(paths.old).sha256;
  const startMs = performance.now();
  const { exitCode, lines } = await runMigrate(args);
  length = { ms: performance.now() - startMs, lines: lines.length };
  expect(exitCode).toBe(0);
  expect(lines.at(-1)).toMatchObject({
    result: "done",
    fingerprint: { servers: SIZE.servers, assignments: SIZE.servers * SIZE.agentsPerServer },
  });
  whole = stored() ?? "";
  expect(lines.at(-1)).toMatchObject({ fingerprint: { sha256: whole } });
  await goBack();
}, TIMEOUT_MS);

afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What a sidecar that starts now finds; null: nothing yet, which is the old state. */
function stored(): string | null {
  if (!existsSync(paths.store)) return null;
  const target = openTarget(paths.store);
  try {
    expect(target.damage()).toBeNull();
    expect(target.lastMigration()).not.toBeNull();
    return fingerprintOf(target.list()).sha256;
  } finally {
    target.close();
  }
}

/** Whole, whichever of the two it is. Gives whether it is the new one. */
function isNew(): boolean {
  expect(digestOf(paths.old).sha256).toBe(oldBytes);
  const found = stored();
  expect([null, whole]).toContain(found);
  return found !== null;
}

async function goBack(): Promise<void> {
  const { exitCode, lines } = await runMigrate([...args, "--mode", "rollback"]);
  expect(lines.at(-1)).toMatchObject({ result: "restored", source_restored: false, replaced: null });
  expect(exitCode).toBe(0);
  expect(isNew()).toBe(false);
}

/** Each whole one is one; only the newest is kept. */
function tidyBackups(): void {
  const names = existsSync(paths.backups) ? readdirSync(paths.backups) : [];
  const finished = names.filter((name) => !name.endsWith(".partial")).sort();
  const last = finished.pop();
  if (last !== undefined) checkBackup(join(paths.backups, last));
  for (const name of finished) rmSync(join(paths.backups, name), { recursive: true });
}

/** By turns at any moment of the run, and close behind one of the lines that it says. */
async function killOnce(
  random: Random,
  round: number,
  runArgs: string[],
  run: typeof length,
): Promise<number | null> {
  if (round % 2 === 0) {
    const afterMs = random.next() * run.ms;
    const { exitCode } = await runMigrate(runArgs, { onStart: (kill) => void setTimeout(kill, afterMs) });
    return exitCode;
  }
  const line = (round >> 1) % run.lines;
  const afterMs = random.next() ** 3 * 50;
  const { exitCode } = await runMigrate(runArgs, {
    onLine: (index, kill) => {
      if (index === line) setTimeout(kill, afterMs);
    },
  });
  return exitCode;
}

describe("a migration of 10,000 servers and 100,000 assignments, killed", () => {
  it(
    `C4 C5 leaves the whole old or the whole new state, and the next one finishes, with seed ${seed}`,
    async () => {
      const random = new Random(seed);
      const endMs = performance.now() + BUDGET_MS;
      const counts = { kills: 0, ended: 0, old: 0, new: 0, finished: 0, goingBack: 0 };
      for (let round = 0; KILLS === null ? performance.now() < endMs : counts.kills < KILLS; round++) {
        const exitCode = await killOnce(random, round, args, length);
        // A run may be quicker than its moment.
        counts[exitCode === null ? "kills" : "ended"]++;
        if (KILLS !== null && round % 10 === 0) console.log(`round ${round}:`, { ...counts });
        tidyBackups();
        const isDone = isNew();
        counts[isDone ? "new" : "old"]++;
        if (!isDone && round % FINISH_EVERY !== FINISH_EVERY - 1) continue;
        const { lines } = await runMigrate(args);
        expect(lines.at(-1)).toMatchObject({ result: "done", fingerprint: { sha256: whole } });
        expect(isNew()).toBe(true);
        counts.finished++;
        const code = await killOnce(random, round, [...args, "--mode", "rollback"], { ms: 1_500, lines: 8 });
        counts[code === null ? "kills" : "ended"]++;
        counts.goingBack++;
        if (isNew()) await goBack();
      }
      console.log(`migrate-killed, seed ${seed}, a run takes ${Math.round(length.ms)} ms:`, counts);
      const { lines } = await runMigrate(args);
      expect(lines.at(-1)).toMatchObject({ result: "done", fingerprint: { sha256: whole } });
      expect(isNew()).toBe(true);
      expect(readdirSync(paths.state).sort()).toEqual(["backups", "configs.db", "ledger.db"]);
      expect(readdirSync(paths.backups).filter((name) => name.endsWith(".partial"))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
