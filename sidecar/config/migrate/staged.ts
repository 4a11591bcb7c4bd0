/** The copy of the store on which a migration is done before it takes the store's name. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { STORE } from "./backup.ts";
import type { Held } from "./check.ts";
import { copyFlushed } from "./files.ts";
import type { Ground } from "./ground.ts";
import { MigrationRefused } from "./refused.ts";
import type { MigrationRecord, OpenTarget, Target } from "./target.ts";

export class Staged {
  readonly file: string;
  /** What the store has had. */
  readonly before: readonly ConfigEntry[];
  readonly #open: OpenTarget;

  private constructor(file: string, before: readonly ConfigEntry[], open: OpenTarget) {
    this.file = file;
    this.before = before;
    this.#open = open;
  }

  /** @throws MigrationRefused */
  static async of(ground: Ground, open: OpenTarget): Promise<Staged> {
    const file = join(ground.scratch, "configs.db");
    await ground.copyStore(file);
    return new Staged(
      file,
      using(open(file), (target) => target.list()),
      open,
    );
  }

  /** That a store can be opened from a backup, with what it held. @throws MigrationRefused */
  static checkBackup(backup: string, ground: Ground, open: OpenTarget): void {
    const file = join(backup, STORE);
    if (!existsSync(file)) return;
    const copy = join(ground.scratch, "backup.db");
    copyFlushed(file, copy);
    const damage = using(open(copy), (target) => target.damage());
    if (damage !== null) throw new MigrationRefused(`the backup is corrupted: ${file}: ${damage}`);
  }

  take(entries: readonly ConfigEntry[], record: Omit<MigrationRecord, "revision">): void {
    using(this.#open(this.file), (target) => target.take(entries, record));
  }

  /** What is other than it should be, read from the disk; null: nothing. */
  differenceFrom({ entries, fingerprint }: Held): string | null {
    return using(this.#open(this.file), (target) => {
      const damage = target.damage();
      if (damage !== null) return `the store is damaged: ${damage}`;
      const names = new Set(entries.map(({ name }) => name));
      const all = target.list();
      const taken = fingerprintOf(all.filter(({ name }) => names.has(name)));
      if (taken.servers !== fingerprint.servers || taken.assignments !== fingerprint.assignments)
        return `the store has ${taken.servers} servers and ${taken.assignments} assignments instead of ${fingerprint.servers} and ${fingerprint.assignments}`;
      if (taken.sha256 !== fingerprint.sha256) return "the store's contents are not the source's";
      const others = (list: readonly ConfigEntry[]) =>
        fingerprintOf(list.filter(({ name }) => !names.has(name))).sha256;
      return others(all) === others(this.before) ? null : "what the store has had before is not what it was";
    });
  }

  /** Lends a copy of it, to be read and written. */
  async timed<T>(open: OpenTarget, work: (backend: ConfigBackend) => Promise<T>): Promise<T> {
    const copy = `${this.file}.timed`;
    copyFlushed(this.file, copy);
    const target = open(copy);
    try {
      return await work(target.backend);
    } finally {
      target.close();
    }
  }
}

function using<T>(target: Target, work: (target: Target) => T): T {
  try {
    return work(target);
  } finally {
    target.close();
  }
}
