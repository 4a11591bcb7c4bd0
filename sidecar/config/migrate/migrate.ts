/**
 * Brings what a source holds into the store. All of it is done, checked and timed on a copy of the store; then the copy takes the
 * store's name, and that one moment decides. Whoever is killed before it leaves the old state, after it the new one.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { ConfigEntry } from "../entry.ts";
import { checkBackup, makeBackup, removePartial, SOURCE } from "./backup.ts";
import { checkPlaces, checkPlan, checkSource, type Held } from "./check.ts";
import { Ground } from "./ground.ts";
import { countsOf, type MigrationOptions, type MigrationPorts, type MigrationResult } from "./ports.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { Source } from "./source.ts";
import { Staged } from "./staged.ts";
import { compareOperations, type OperationTimes } from "./times.ts";

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
    } catch (thrown) {
      removePartial(options.backupDir, options.stateDir);
      throw thrown;
    } finally {
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
  if (options.validateBackup) await validate(backup, source, held, staged, ground, ports);

  await progress("write", 0, found.added.length);
  const { id, at } = about;
  staged.take(found.added, { id, at, from: source.place, mode: options.mode, backup: basename(backup) });
  await progress("write", found.added.length, found.added.length);

  await progress("verify", 0, 1);
  const difference = staged.differenceFrom(held);
  if (difference !== null) return rolledBack(difference, backup, [], ports);
  await progress("verify", 1, 1);

  const times = await compare(staged, source, backup, held.entries, ground, ports);
  const slower = times.filter(({ verdict }) => verdict === "slower");
  if (slower.length > 0) {
    const reason = `more than 20 % slower than before: ${slower.map(inWords).join(", ")}`;
    if (options.autoRollback) return rolledBack(reason, backup, times, ports);
    await ports.alert({ kind: "migration_in_doubt", message: reason, details: { backup, times } });
  }
  await progress("switch", 0, 2);
  const change = await changeOf(source, held);
  if (change !== null) return rolledBack(change, backup, times, ports);
  await progress("switch", 1, 2);
  const doubt = putInForce(ground, staged);
  if (doubt !== null) return { result: "unconfirmed", reason: doubt, backup, ...counts };
  await progress("switch", 2, 2);
  return { result: slower.length > 0 ? "slower" : "done", backup, times, ...counts };
}

/** Why a loss of power could still undo it; null: nothing could. */
function putInForce(ground: Ground, staged: Staged): string | null {
  try {
    ground.putInForce(staged.file);
    return null;
  } catch (cause) {
    if (existsSync(staged.file)) throw cause;
    return reasonOf(cause);
  }
}

async function validate(
  backup: string,
  source: Source,
  { fingerprint }: Held,
  staged: Staged,
  ground: Ground,
  { progress }: MigrationPorts,
): Promise<void> {
  await progress("validate", 0, 3);
  checkBackup(backup);
  await progress("validate", 1, 3);
  await source.checkBackup(join(backup, SOURCE), fingerprint, ground.scratch);
  await progress("validate", 2, 3);
  staged.checkBackup(backup);
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
