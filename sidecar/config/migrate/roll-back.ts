/** Puts back what a migration found, byte for byte, from its backup. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { backupName, checkBackup, type Manifest, SOURCE, STORE } from "./backup.ts";
import { copyFlushed, digestOf, filesIn, flush } from "./files.ts";
import { Ground } from "./ground.ts";
import type { MigrationPorts } from "./ports.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { Source } from "./source.ts";
import type { MigrationRecord } from "./target.ts";

export type RollbackOptions = {
  stateDir: string;
  backupDir: string;
  /** What was changed since may be lost; a copy of all of it is kept. */
  discardLaterChanges: boolean;
};

export type RollbackResult = {
  result: "restored";
  backup: string;
  /** Whether the source was other than in the backup, and so was put back too. */
  source_restored: boolean;
  /** A copy of what was replaced, where it held later changes; null: it held none. */
  replaced: string | null;
};

/** It began to change something and could not go on: doing it again goes on where it stopped. */
export class RollbackFailed extends Error {}

type Ports = Pick<MigrationPorts, "openSource" | "openTarget" | "progress" | "now" | "id">;

/** @throws MigrationRefused: nothing has changed; RollbackFailed */
export async function rollBack(options: RollbackOptions, ports: Ports): Promise<RollbackResult> {
  const ground = new Ground(options.stateDir);
  const release = ground.hold();
  try {
    await ports.progress("check", 0, 1);
    const found = await whatWasDone(ground, ports);
    await ports.progress("check", 1, 1);
    const backup = join(options.backupDir, found.record.backup);
    await ports.progress("validate", 0, 2);
    const manifest = checkBackup(backup);
    await ports.progress("validate", 1, 2);
    const source = await ports.openSource({ readOnly: false });
    try {
      return await putBack({ ground, source, backup, manifest, found, options, ports });
    } finally {
      await source.close();
    }
  } finally {
    release();
  }
}

type Found = { record: MigrationRecord; laterNames: string[] };

/** @throws MigrationRefused */
async function whatWasDone(ground: Ground, { openTarget }: Ports): Promise<Found> {
  const copy = join(ground.scratch, "now.db");
  const target = (await ground.copyStore(copy)) ? openTarget(copy) : null;
  try {
    const record = target?.lastMigration();
    if (!target || !record)
      throw new MigrationRefused("there is nothing to go back from: the store knows of no migration");
    return { record, laterNames: target.changedSince(record.revision) };
  } finally {
    target?.close();
  }
}

type Way = {
  ground: Ground;
  source: Source;
  backup: string;
  manifest: Manifest;
  found: Found;
  options: RollbackOptions;
  ports: Ports;
};

async function putBack(way: Way): Promise<RollbackResult> {
  const { ground, source, backup, manifest, options, ports, found } = way;
  if (source.identity !== manifest.identity)
    throw new MigrationRefused(
      `the migration was from ${manifest.from}, and this is another one: say with --from what was said then`,
    );
  const current = join(ground.scratch, "current");
  await source.backUp(current);
  const before = join(backup, SOURCE);
  const isSourceSame = sameFiles(current, before, manifest);
  const changes = isSourceSame ? [] : await source.changes(before, current);
  const later = [...new Set([...found.laterNames, ...changes])];
  if (later.length > 0 && !options.discardLaterChanges)
    throw new MigrationRefused(
      "what was changed after the migration would be lost. Look at it, then say --discard-later-changes: a copy is kept",
      later.sort(),
    );
  await ports.progress("validate", 2, 2);
  ground.settle();
  const replaced = later.length > 0 || !isSourceSame ? keepReplaced(way, current) : null;
  let isBegun = false;
  try {
    await ports.progress("source", 0, 1);
    if (!isSourceSame) await source.restore(before);
    isBegun = !isSourceSame;
    await ports.progress("source", 1, 1);
    await ports.progress("switch", 0, 1);
    ground.putInForce(readyStore(way));
    await ports.progress("switch", 1, 1);
  } catch (cause) {
    if (cause instanceof MigrationRefused && !isBegun) {
      if (replaced !== null) rmSync(replaced, { recursive: true });
      throw cause;
    }
    throw new RollbackFailed(`${reasonOf(cause)}. Correct that, and do the same again`, { cause });
  }
  return { result: "restored", backup, source_restored: !isSourceSame, replaced };
}

const sameFiles = (current: string, backedUp: string, { files }: Manifest): boolean => {
  const names = filesIn(current);
  return (
    names.join("\n") === filesIn(backedUp).join("\n") &&
    names.every((name) => digestOf(join(current, name)).sha256 === files[join(SOURCE, name)]?.sha256)
  );
};

/** A backup's twin, without a manifest: what was there is kept, whatever becomes of it. */
function keepReplaced({ ground, options, ports }: Way, current: string): string {
  const directory = join(options.backupDir, `${backupName(ports.now(), ports.id())}-replaced`);
  mkdirSync(join(directory, SOURCE), { recursive: true, mode: 0o700 });
  mkdirSync(join(directory, "store"), { mode: 0o700 });
  for (const file of filesIn(current)) copyFlushed(join(current, file), join(directory, SOURCE, file));
  copyFlushed(ground.store, join(directory, STORE));
  for (const made of [join(directory, SOURCE), join(directory, "store"), directory, options.backupDir])
    flush(made);
  return directory;
}

/** A copy of the backed-up store beside the one in force; null: there was none. */
function readyStore({ ground, backup, manifest }: Way): string | null {
  if (!(STORE in manifest.files)) return null;
  const ready = join(ground.scratch, "configs.db");
  copyFlushed(join(backup, STORE), ready);
  return ready;
}
