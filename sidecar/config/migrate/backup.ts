/**
 * A backup is a directory `<time>-<id>`: what the source held (`source/`, and `entries.json` for people and programs), the store
 * (`store/configs.db`, if there was one), and, written last, `manifest.json` with the digest of each file. As long as it is not
 * whole its name ends in `.partial`.
 */
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ConfigValue } from "../../../shared/protocol/config.ts";
import type { Fingerprint } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { copyFlushed, digestOf, filesIn, flush, moveFlushed, writeFlushed } from "./files.ts";
import { MigrationRefused } from "./refused.ts";
import type { Source } from "./source.ts";

/** One of this state directory: others may keep theirs in the same place. */
const partialEnd = (stateDir: string): string => `.${hash("sha256", resolve(stateDir)).slice(0, 8)}.partial`;
const MANIFEST = "manifest.json";
const ENTRIES = "entries.json";
export const SOURCE = "source";
export const STORE = join("store", "configs.db");

const Manifest = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  at: z.int(),
  /** Hivegate's own version, which wrote it. */
  hivegate: z.string(),
  from: z.string(),
  /** Which source that is, however it was spelt. */
  identity: z.string(),
  kind: z.enum(["sqlite", "postgres", "file"]),
  fingerprint: z.strictObject({ servers: z.int(), assignments: z.int(), sha256: z.string() }),
  files: z.record(z.string(), z.strictObject({ bytes: z.int(), sha256: z.string() })),
});
export type Manifest = z.infer<typeof Manifest>;

const Entries = z.array(ConfigValue.extend({ name: z.string() }));

type Contents = {
  source: Source;
  entries: readonly ConfigEntry[];
  fingerprint: Fingerprint;
  stateDir: string;
  /** Null: there is none yet. */
  storeFile: string | null;
};

/** Sorted by time, and never the same twice. */
export const backupName = (atMs: number, id: string): string =>
  `${new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${id}`;

/** Makes it in `parent`, and gives its directory. */
export async function makeBackup(
  parent: string,
  about: Pick<Manifest, "id" | "at" | "hivegate">,
  { source, entries, fingerprint, stateDir, storeFile }: Contents,
): Promise<string> {
  const whole = join(parent, backupName(about.at, about.id));
  const partial = `${whole}${partialEnd(stateDir)}`;
  mkdirSync(join(partial, "store"), { recursive: true, mode: 0o700 });
  await source.backUp(join(partial, SOURCE));
  if (storeFile !== null) copyFlushed(storeFile, join(partial, STORE));
  writeFlushed(join(partial, ENTRIES), JSON.stringify(entries, null, 1));
  const files = filesIn(partial);
  for (const file of files) flush(join(partial, file));
  const manifest: Manifest = {
    ...{ format: 1, ...about, from: source.place, identity: source.identity, kind: source.kind, fingerprint },
    files: Object.fromEntries(files.map((file) => [file, digestOf(join(partial, file))])),
  };
  writeFlushed(join(partial, MANIFEST), JSON.stringify(manifest, null, 2));
  for (const directory of [join(partial, SOURCE), join(partial, "store"), partial]) flush(directory);
  moveFlushed(partial, whole);
  return whole;
}

/** What a migration that was killed, or could not go on, left half-made. */
export function removePartial(parent: string, stateDir: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent))
    if (name.endsWith(partialEnd(stateDir))) rmSync(join(parent, name), { recursive: true });
}

/** Reads all of it again. @throws MigrationRefused that names the first file that is not what it was */
export function checkBackup(directory: string): Manifest {
  const manifest = readManifest(directory);
  const there = new Set(filesIn(directory));
  for (const [file, { bytes, sha256 }] of Object.entries(manifest.files)) {
    if (!there.has(file)) throw corrupted(directory, file, "is not there");
    const digest = digestOf(join(directory, file));
    if (digest.bytes !== bytes || digest.sha256 !== sha256) throw corrupted(directory, file, "has changed");
  }
  if (fingerprintOf(backedUpEntries(directory)).sha256 !== manifest.fingerprint.sha256)
    throw corrupted(directory, ENTRIES, "is not what the source held");
  return manifest;
}

/** @throws MigrationRefused */
function readManifest(directory: string): Manifest {
  if (!existsSync(directory))
    throw new MigrationRefused(
      `there is no backup ${directory}: say with --backup-dir where backups are kept`,
    );
  try {
    return Manifest.parse(JSON.parse(readFileSync(join(directory, MANIFEST), "utf8")));
  } catch (cause) {
    throw corrupted(directory, MANIFEST, "cannot be read", cause);
  }
}

const backedUpEntries = (directory: string): ConfigEntry[] =>
  Entries.parse(JSON.parse(readFileSync(join(directory, ENTRIES), "utf8")));

const corrupted = (directory: string, file: string, what: string, cause?: unknown): MigrationRefused =>
  new MigrationRefused(`the backup is corrupted: ${join(directory, file)} ${what}`, [], { cause });
