import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import type { OldDatabase } from "../old/database.ts";
import type { ConfigStore } from "../store/store.ts";
import type { RolloutMemory } from "./memory.ts";
import type { OldForm } from "./pairing.ts";

export type StoreOnlyPorts = {
  store: ConfigStore;
  form: Pick<OldForm, "canHold">;
  memory: Pick<RolloutMemory, "changedAfter">;
  /** What the older database refused for a reason of its own. */
  refused(): ReadonlySet<string>;
};

/** What is in the store because the older database has no place for it, such as servers over TCP. */
export class StoreOnly {
  readonly #ports: StoreOnlyPorts;
  /** The revision that `#entries` are as of; null: not known yet. */
  #revision: number | null = null;
  readonly #entries = new Map<string, ConfigEntry>();
  #last: ReadonlyMap<string, ConfigEntry> = this.#entries;

  constructor(ports: StoreOnlyPorts) {
    this.#ports = ports;
  }

  /** By name; as it was last, while the store cannot be read. */
  all(): ReadonlyMap<string, ConfigEntry> {
    try {
      this.#catchUp();
      this.#last = this.#withRefused();
    } catch {
      // The older path is there for this, too.
    }
    return this.#last;
  }

  #withRefused(): ReadonlyMap<string, ConfigEntry> {
    const refused = [...this.#ports.refused()].flatMap((name) => this.#ports.store.get(name) ?? []);
    return refused.length === 0
      ? this.#entries
      : new Map([...this.#entries, ...refused.map((entry) => [entry.name, entry] as const)]);
  }

  /** After a change only what changed is looked at: asking the older form of 10,000 takes a while. */
  #catchUp(): void {
    const { store, memory } = this.#ports;
    const { revision } = store;
    if (revision === this.#revision) return;
    const changed = this.#revision === null ? null : memory.changedAfter(this.#revision);
    // Of so many the history may not tell all.
    if (changed === null || changed.size >= LIMITS.removedConfigs) {
      this.#entries.clear();
      for (const entry of store.list()) this.#note(entry.name, entry);
    } else for (const name of changed) this.#note(name, store.get(name));
    this.#revision = revision;
  }

  #note(name: string, entry: ConfigEntry | null): void {
    if (entry && this.#ports.form.canHold(entry) !== null) this.#entries.set(name, entry);
    else this.#entries.delete(name);
  }
}

/** The older path, for reading: its database, and beside it what that has no place for, so that nobody misses anything. */
export function oldPath(old: OldDatabase, storeOnly: StoreOnly): ConfigBackend {
  const together = (held: ConfigEntry[], beside: ConfigEntry[]) =>
    beside.length === 0
      ? held
      : [...held.filter(({ name }) => !storeOnly.all().has(name)), ...beside].sort(byName);
  return {
    kind: "old",
    list: async () => together(await old.list(), [...storeOnly.all().values()]),
    get: async (name) => storeOnly.all().get(name) ?? (await old.get(name)),
    ofAgent: async (agent) =>
      together(
        await old.ofAgent(agent),
        [...storeOnly.all().values()].filter(({ agent_names }) => agent_names.includes(agent)),
      ),
    write: (edits) => old.write(edits),
    fingerprint: () => old.fingerprint(),
    close: () => old.close(),
  };
}

const byName = (one: ConfigEntry, other: ConfigEntry): number => (one.name < other.name ? -1 : 1);
