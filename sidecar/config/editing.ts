/** Changes that come through the API: which version they are meant for, what they may start, and what the file says meanwhile. */
import { HivegateError } from "../../shared/errors.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { Expected } from "./configs.ts";
import type { Conflicts } from "./conflicts.ts";
import type { Author, ConfigEdit, ConfigEntry, StoredConfig } from "./entry.ts";
import { sameEntry } from "./fingerprint.ts";
import type { InForce } from "./in-force.ts";
import type { Seeding } from "./seeding.ts";
import type { StoredVersion } from "./store/rows.ts";
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
   * `from`: the version that is made the newest. Gives what is there then.
   * @throws HivegateError `precondition_failed`, `unknown_config`, `config_invalid`
   */
  async one(
    edit: ConfigEdit,
    expected: Expected,
    author: Author,
    from: StoredVersion | null = null,
  ): Promise<StoredConfig | null> {
    const { store, seeding } = this.#ports;
    const unread = this.#revisions([edit]);
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
    await this.#change([edit], author, unread, from);
    return store.get(edit.name);
  }

  /** Whatever is there. @throws HivegateError `config_invalid` */
  async all(edits: readonly ConfigEdit[], author: Author): Promise<void> {
    const unread = this.#revisions(edits);
    await this.#ports.seeding.catchUp();
    await this.#change(edits, author, unread, null);
  }

  /** `unread`: the revisions before the file was read just now. */
  async #change(
    edits: readonly ConfigEdit[],
    author: Author,
    unread: Revisions,
    from: StoredVersion | null,
  ): Promise<void> {
    const { inForce, conflicts } = this.#ports;
    const read = this.#revisions(edits);
    const limited = new Set(edits.filter((edit) => this.#isLimited(edit, from)).map(({ name }) => name));
    const { made } = await inForce.change({ edits, author, limited });
    for (const [name, kept] of made) {
      const lost = this.#lastRevision(name, kept);
      if (read.get(name) === unread.get(name) || lost === null) continue;
      conflicts.report({ name, kept, lost, message: `changed by the file, then by ${author.by}` });
    }
  }

  /** Whoever changes other things than how a server is started or reached leaves it what it may do. */
  #isLimited({ name, entry }: ConfigEdit, from: StoredVersion | null): boolean {
    const { store } = this.#ports;
    if (!entry || from?.limited === false) return false;
    const before = store.get(name);
    const isTheSame = before !== null && canonicalJson(before.config) === canonicalJson(entry.config);
    return !isTheSame || store.limited.has(name);
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

  #revisions(edits: readonly ConfigEdit[]): Revisions {
    return new Map(edits.map(({ name }) => [name, this.#ports.store.get(name)?.revision ?? null]));
  }
}

const LOST = "The configuration file changed it at the same moment. Your version is kept in the history.";

const meets = (expected: Expected, revision: number | null): boolean =>
  expected === "any" || (expected === "none" ? revision === null : revision === expected);

const isSame = (one: ConfigEntry | null, other: ConfigEntry | null): boolean =>
  one === null || other === null ? one === other : sameEntry(one, other);
