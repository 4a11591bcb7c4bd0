/** A file `.mcp.json` as what is migrated. It stays as it is. */
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { ConfigEntry } from "../entry.ts";
import { parseConfigFile } from "../file/parse.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { copyFlushed, moveFlushed } from "./files.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { Source } from "./source.ts";

/** @throws MigrationRefused when it cannot be read */
export function fileSource(file: string): Source {
  const text = textOf(file);
  const backedUp = (directory: string) => join(directory, basename(file));
  return {
    kind: "file",
    place: resolve(file),
    bytes: statSync(file).size,
    async problems() {
      const parsed = parseConfigFile(text);
      if (parsed.ok) return [];
      const { message, line, column } = parsed.problem;
      return [`${file}:${line}:${column}: ${message}`];
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
    async restore(directory) {
      const beside = join(dirname(file), `.${basename(file)}.restoring`);
      copyFlushed(backedUp(directory), beside);
      moveFlushed(beside, file);
    },
    close: async () => {},
  };
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
