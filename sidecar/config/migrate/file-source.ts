/** A file `.mcp.json` as what is migrated. It stays as it is. */
import { chmodSync, chownSync, mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { ConfigEntry } from "../entry.ts";
import { parseConfigFile } from "../file/parse.ts";
import { fingerprintOf, sameEntry } from "../fingerprint.ts";
import { copyFlushed, flush, moveFlushed } from "./files.ts";
import { planOf } from "./plan.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { Source } from "./source.ts";

/** @throws MigrationRefused when it cannot be read */
export function fileSource(path: string): Source {
  const text = textOf(path);
  // What leads to it stays what it is.
  const file = realpathSync(path);
  const backedUp = (directory: string) => join(directory, basename(file));
  return {
    kind: "file",
    place: resolve(path),
    identity: `file:${file}`,
    bytes: statSync(file).size,
    async problems() {
      const parsed = parseConfigFile(text);
      if (parsed.ok) return [];
      const { message, line, column } = parsed.problem;
      return [`${path}:${line}:${column}: ${message}`];
    },
    entries: async () => entriesOf(text),
    // Read again: somebody may have saved it meanwhile.
    fingerprint: async () => fingerprintOf(entriesOf(textOf(file))),
    async backUp(directory) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      copyFlushed(file, backedUp(directory));
    },
    async checkBackup(directory, fingerprint) {
      if (fingerprintOf(entriesOf(textOf(backedUp(directory)))).sha256 !== fingerprint.sha256)
        throw new MigrationRefused(
          `the backup is corrupted: ${backedUp(directory)} is not what the source held`,
        );
    },
    openToTime: async () => null,
    async changes(before, now) {
      // It may be in a comment alone that they differ, or in a mistake.
      return [...changedEntries(textOf(backedUp(before)), textOf(backedUp(now))), `file ${resolve(path)}`];
    },
    async restore(directory) {
      const beside = join(dirname(file), `.${basename(file)}.restoring`);
      const { mode, uid, gid } = statSync(file);
      copyFlushed(backedUp(directory), beside);
      chmodSync(beside, mode & 0o777);
      if (process.getuid?.() === 0) chownSync(beside, uid, gid);
      flush(beside);
      moveFlushed(beside, file);
    },
    close: async () => {},
  };
}

function changedEntries(before: string, now: string): string[] {
  const [were, are] = [parseConfigFile(before), parseConfigFile(now)];
  if (!were.ok || !are.ok) return [];
  const { added, clashing, kept } = planOf(are.entries, were.entries, sameEntry);
  return [...added.map(({ name }) => name), ...clashing, ...kept];
}

function entriesOf(text: string): ConfigEntry[] {
  const parsed = parseConfigFile(text);
  if (!parsed.ok) throw new MigrationRefused(`the file cannot be read: ${parsed.problem.message}`);
  return parsed.entries;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new MigrationRefused(`the file cannot be read: ${reasonOf(cause)}`, [], { cause });
  }
}
