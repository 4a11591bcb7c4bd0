/** The copy of the store on which a migration is done before it takes the store's name. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { STORE } from "./backup.ts";
import type { Held } from "./check.ts";
import { copyFlushed } from "./files.ts";
import { type Ground, settle } from "./ground.ts";
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

  /** That a store can be opened from the backup, with what it held. @throws MigrationRefused */
  checkBackup(backup: string): void {
    const file = join(backup, STORE);
    const copy = `${this.file}.backup`;
    if (existsSync(file)) copyFlushed(file, copy);
    const wrong = using(this.#open(copy), (target) => target.damage() ?? this.#otherThan(target.list()));
    if (wrong !== null) throw new MigrationRefused(`the backup is corrupted: ${file}: ${wrong}`);
  }

  take(entries: readonly ConfigEntry[], record: Omit<MigrationRecord, "revision">): void {
    using(this.#open(this.file), (target) => target.take(entries, record));
    settle(this.file);
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
      return this.#otherThan(all, names);
    });
  }

  /** Why these are not what the store has had, but for those names; null: they are. */
  #otherThan(entries: readonly ConfigEntry[], names: ReadonlySet<string> = new Set()): string | null {
    const of = (list: readonly ConfigEntry[]) =>
      fingerprintOf(list.filter(({ name }) => !names.has(name))).sha256;
    return of(entries) === of(this.before) ? null : "what the store has had before is not what it was";
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
