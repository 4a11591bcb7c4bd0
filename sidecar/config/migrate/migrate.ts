/**
 * Brings what a source holds into the store. All of it is done, checked and timed on a copy of the store; then the copy takes the
 * store's name, and that one moment decides. Whoever is killed before it leaves the old state, after it the new one.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Alert } from "../../alerts.ts";
import type { Fingerprint } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { checkBackup, makeBackup, removePartial, SOURCE } from "./backup.ts";
import { checkPlan, checkSource, type Held } from "./check.ts";
import { checkRoom, Ground, sizeOf } from "./ground.ts";
import type { Plan } from "./plan.ts";
import type { Progress } from "./progress.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { OpenSource, Source } from "./source.ts";
import { Staged } from "./staged.ts";
import type { OpenTarget } from "./target.ts";
import { compareOperations, type OperationTimes } from "./times.ts";

export type MigrationOptions = {
  stateDir: string;
  backupDir: string;
  mode: "safe" | "full";
  validateBackup: boolean;
  autoRollback: boolean;
};

/** Everything outside. */
export type MigrationPorts = {
  openSource: OpenSource;
  openTarget: OpenTarget;
  /** The sidecar's environment: what the entries' variables stand for. */
  env: Record<string, string | undefined>;
  progress: Progress;
  /** Resolves when whoever is on duty was told, or cannot be. */
  alert(alert: Alert): Promise<void>;
  now(): number;
  elapsedMs(): number;
  id(): string;
  /** Hivegate's. */
  version: string;
};

type Counts = {
  from_kind: Source["kind"];
  added: number;
  equal: number;
  kept: number;
  fingerprint: Fingerprint;
};

export type PlanResult = { result: "planned"; added_names: string[] } & Counts;

export type MigrationResult =
  /** `slower`: it is in force all the same, because nothing should go back by itself. */
  | ({ result: "done" | "slower"; backup: string | null; times: OperationTimes[] } & Counts)
  | { result: "rolled_back"; reason: string; backup: string; times: OperationTimes[] };

/** What a migration would do. @throws MigrationRefused for what would keep it from that */
export async function plan(
  stateDir: string,
  ports: Pick<MigrationPorts, "openSource" | "openTarget" | "env" | "progress">,
): Promise<PlanResult> {
  const source = await ports.openSource({ readOnly: true });
  const scratch = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  try {
    await ports.progress("check", 0, 2);
    const held = await checkSource(source);
    await ports.progress("check", 1, 2);
    const store = join(scratch, "configs.db");
    await new Ground(stateDir).copyStore(store);
    const target = ports.openTarget(store);
    try {
      const found = checkPlan(held.entries, target.list(), ports.env);
      await ports.progress("check", 2, 2);
      const names = found.added.map(({ name }) => name);
      return { result: "planned", added_names: names, ...countsOf(source, found, held) };
    } finally {
      target.close();
    }
  } finally {
    rmSync(scratch, { recursive: true });
    await source.close();
  }
}

/** @throws MigrationRefused: nothing has changed */
export async function migrate(options: MigrationOptions, ports: MigrationPorts): Promise<MigrationResult> {
  const source = await ports.openSource({ readOnly: true });
  try {
    await ports.progress("check", 0, 3);
    const held = await checkSource(source);
    await ports.progress("check", 1, 3);
    const ground = new Ground(options.stateDir);
    const release = ground.hold();
    try {
      return await inSteps(ground, source, held, options, ports);
    } finally {
      removePartial(options.backupDir, options.stateDir);
      release();
    }
  } catch (thrown) {
    if (thrown instanceof MigrationRefused) throw thrown;
    throw new MigrationRefused(`${reasonOf(thrown)}. Nothing has changed`, [], { cause: thrown });
  } finally {
    await source.close();
  }
}

async function inSteps(
  ground: Ground,
  source: Source,
  held: Held,
  options: MigrationOptions,
  ports: MigrationPorts,
): Promise<MigrationResult> {
  const { progress } = ports;
  const staged = await Staged.of(ground, ports.openTarget);
  const found = checkPlan(held.entries, staged.before, ports.env);
  checkPlaces(ground, source, held.entries, options.backupDir);
  await progress("check", 3, 3);
  const counts = countsOf(source, found, held);
  if (found.added.length === 0) return { result: "done", backup: null, times: [], ...counts };

  const about = { id: ports.id(), at: ports.now(), hivegate: ports.version };
  await progress("backup", 0, 1);
  ground.settle();
  const contents = {
    source,
    ...held,
    stateDir: ground.stateDir,
    storeFile: ground.hasStore ? ground.store : null,
  };
  const backup = await makeBackup(options.backupDir, about, contents);
  await progress("backup", 1, 1);
  if (options.validateBackup) await validate(backup, source, held, ground, ports);

  await progress("write", 0, found.added.length);
  const { id, at } = about;
  staged.take(found.added, { id, at, from: source.place, mode: options.mode, backup: basename(backup) });
  await progress("write", found.added.length, found.added.length);

  await progress("verify", 0, 1);
  const difference = staged.differenceFrom(held) ?? (await changeOf(source, held));
  if (difference !== null) return rolledBack(difference, backup, [], ports);
  await progress("verify", 1, 1);

  const times = await compare(staged, source, backup, held.entries, ground, ports);
  const slower = times.filter(({ verdict }) => verdict === "slower");
  if (slower.length > 0) {
    const reason = `more than 20 % slower than before: ${slower.map(inWords).join(", ")}`;
    if (options.autoRollback) return rolledBack(reason, backup, times, ports);
    await ports.alert({ kind: "migration_in_doubt", message: reason, details: { backup, times } });
  }
  await progress("switch", 0, 1);
  putInForce(ground, staged);
  await progress("switch", 1, 1);
  return { result: slower.length > 0 ? "slower" : "done", backup, times, ...counts };
}

function putInForce(ground: Ground, staged: Staged): void {
  try {
    ground.putInForce(staged.file);
  } catch (cause) {
    if (existsSync(staged.file)) throw cause;
    throw new MigrationRefused(`it is in force, but the disk did not confirm it: ${reasonOf(cause)}`, [], {
      cause,
    });
  }
}

const countsOf = ({ kind }: Source, { added, equal, kept }: Plan, { fingerprint }: Held): Counts => ({
  from_kind: kind,
  added: added.length,
  equal: equal.length,
  kept: kept.length,
  fingerprint,
});

/** Of the source: its backup, the copy that is timed, and what the store makes of it. */
const COPIES = 3;
/** SQLite's logs while operations are timed: they are worked in at 4 MiB each. */
const LOGS_BYTES = 16 * 1024 * 1024;

function checkPlaces(
  ground: Ground,
  source: Source,
  entries: readonly ConfigEntry[],
  backupDir: string,
): void {
  try {
    mkdirSync(backupDir, { recursive: true, mode: 0o700 });
    removePartial(backupDir, ground.stateDir);
  } catch (cause) {
    throw new MigrationRefused(`the directory of backups cannot be written to: ${reasonOf(cause)}`, [], {
      cause,
    });
  }
  const needed = COPIES * (source.bytes ?? JSON.stringify(entries).length) + 2 * sizeOf(ground.store);
  checkRoom(ground.stateDir, needed + LOGS_BYTES);
  checkRoom(backupDir, needed);
}

async function validate(
  backup: string,
  source: Source,
  { fingerprint }: Held,
  ground: Ground,
  { progress, openTarget }: MigrationPorts,
): Promise<void> {
  await progress("validate", 0, 3);
  checkBackup(backup);
  await progress("validate", 1, 3);
  await source.checkBackup(join(backup, SOURCE), fingerprint, ground.scratch);
  await progress("validate", 2, 3);
  Staged.checkBackup(backup, ground, openTarget);
  await progress("validate", 3, 3);
}

/** Somebody who still writes to the source would lose what he wrote. */
async function changeOf(source: Source, { fingerprint }: Held): Promise<string | null> {
  const now = await source.fingerprint();
  return now.sha256 === fingerprint.sha256
    ? null
    : `${source.place} was changed meanwhile: end what writes to it`;
}

async function compare(
  staged: Staged,
  source: Source,
  backup: string,
  entries: readonly ConfigEntry[],
  ground: Ground,
  { progress, elapsedMs, openTarget }: MigrationPorts,
): Promise<OperationTimes[]> {
  const before = await source.openToTime(join(backup, SOURCE), ground.scratch);
  if (before === null) return [];
  try {
    await progress("compare", 0, 1);
    const onDone = (done: number, total: number) => progress("compare", done, total);
    return await staged.timed(openTarget, (after) =>
      compareOperations(before, after, entries, elapsedMs, onDone),
    );
  } finally {
    await before.close();
  }
}

async function rolledBack(
  reason: string,
  backup: string,
  times: OperationTimes[],
  { alert }: MigrationPorts,
): Promise<MigrationResult> {
  await alert({
    kind: "migration_rolled_back",
    message: `The migration was taken back: ${reason}`,
    details: { backup, times },
  });
  return { result: "rolled_back", reason, backup, times };
}

const inWords = ({ operation, before_ms, after_ms }: OperationTimes): string =>
  `${operation} took ${before_ms} ms, now ${after_ms} ms`;
