/** Changes that come through the API: which version they are meant for, what they may start, and what the file says meanwhile. */
import { HivegateError } from "../../shared/errors.ts";
import type { Changed, Expected } from "./configs.ts";
import type { Conflicts } from "./conflicts.ts";
import type { Author, ConfigEdit, ConfigEntry, StoredConfig } from "./entry.ts";
import { sameConfig, sameEntry } from "./fingerprint.ts";
import type { InForce } from "./in-force.ts";
import type { Seeding } from "./seeding.ts";
import { justValue } from "./store/rows.ts";
import type { ConfigStore } from "./store/store.ts";

export type EditingPorts = {
  store: ConfigStore;
  inForce: InForce;
  seeding: Pick<Seeding, "catchUp">;
  conflicts: Conflicts;
  now(): number;
};

type Revisions = ReadonlyMap<string, number | null>;

/** Whoever calls it sees to it that one comes after the other. */
export class Editing {
  readonly #ports: EditingPorts;

  constructor(ports: EditingPorts) {
    this.#ports = ports;
  }

  /**
   * Gives what is there then.
   * @throws HivegateError `precondition_failed`, `unknown_config`, `config_invalid`
   */
  async one(edit: ConfigEdit, expected: Expected, author: Author): Promise<StoredConfig | null> {
    const { store, seeding } = this.#ports;
    const unread = this.#revisions([edit.name]);
    await seeding.catchUp();
    const current = store.get(edit.name);
    if (!meets(expected, current?.revision ?? null)) {
      const isOfTheMoment = meets(expected, unread.get(edit.name) ?? null);
      // The file says the same: both have what they want.
      if (isOfTheMoment && isSame(edit.entry, current)) return current;
      if (isOfTheMoment) this.#keepLost(edit, author);
      throw new HivegateError("precondition_failed", isOfTheMoment ? LOST : undefined);
    }
    if (!edit.entry && !current) throw new HivegateError("unknown_config");
    await this.#change([edit], author, unread);
    return store.get(edit.name);
  }

  /** Of what is there now. @throws HivegateError `config_invalid`; or as `changed` */
  async all(names: readonly string[], changed: Changed, author: Author): Promise<void> {
    const { store, seeding } = this.#ports;
    const unread = this.#revisions(names);
    await seeding.catchUp();
    const edits = names.map((name) => {
      const current = store.get(name);
      const value = changed(current && justValue(current), name);
      return { name, entry: value && { name, ...value } };
    });
    await this.#change(edits, author, unread);
  }

  /** `unread`: the revisions before the file was read just now. */
  async #change(edits: readonly ConfigEdit[], author: Author, unread: Revisions): Promise<void> {
    const { store, inForce, conflicts } = this.#ports;
    const replaced = new Map(edits.map(({ name }) => [name, store.get(name)]));
    const limited = new Set(edits.filter((edit) => this.#isLimited(edit)).map(({ name }) => name));
    const { made } = await inForce.change({ edits, author, limited });
    for (const { name, entry } of edits) {
      const before = replaced.get(name) ?? null;
      const kept = made.get(name);
      const lost = this.#lastRevision(name, kept ?? null);
      const isOfTheMoment = (before?.revision ?? null) !== unread.get(name);
      // Whoever left what the file said, and changed the rest, replaced nothing.
      if (!isOfTheMoment || hasSameConfig(entry, before) || kept === undefined || lost === null) continue;
      conflicts.report({ name, kept, lost, message: `changed by the file, then by ${author.by}` });
    }
  }

  /** Whoever says how a server is started or reached as it is now, or as the file says it now, leaves it what it may do. */
  #isLimited({ name, entry }: ConfigEdit): boolean {
    const { store } = this.#ports;
    if (!entry) return false;
    if (hasSameConfig(entry, store.get(name)) && !store.limited.has(name)) return false;
    return !hasSameConfig(entry, store.seed()?.entries.get(name) ?? null);
  }

  /** The file's version is in force; the other one is kept beside it. */
  #keepLost(edit: ConfigEdit, author: Author): void {
    const { store, conflicts, now } = this.#ports;
    const kept = this.#lastRevision(edit.name, null);
    const written = store.write([], author, { nowMs: now(), lost: { edits: [edit], author } });
    const lost = written.lost.get(edit.name);
    if (kept === null || lost === undefined) return;
    const message = `changed by the file, and differently by ${author.by} at the same moment`;
    conflicts.report({ name: edit.name, kept, lost, message });
  }

  #lastRevision(name: string, before: number | null): number | null {
    return this.#ports.store.history(name, before, 1)[0]?.revision ?? null;
  }

  #revisions(names: readonly string[]): Revisions {
    return new Map(names.map((name) => [name, this.#ports.store.get(name)?.revision ?? null]));
  }
}

const LOST = "The configuration file changed it at the same moment. Your version is kept in the history.";

const meets = (expected: Expected, revision: number | null): boolean =>
  expected === "none" ? revision === null : revision === expected;

const hasSameConfig = (one: ConfigEntry | null, other: ConfigEntry | null): boolean =>
  one !== null && other !== null && sameConfig(one, other);

const isSame = (one: ConfigEntry | null, other: ConfigEntry | null): boolean =>
  one === null || other === null ? one === other : sameEntry(one, other);
