import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import type { OldDatabase } from "../old/database.ts";
import type { ConfigStore } from "../store/store.ts";
import type { OldForm } from "./pairing.ts";

/** What is in the store because the older tables have no place for it, such as servers over TCP. */
export class StoreOnly {
  readonly #store: ConfigStore;
  readonly #form: OldForm;
  #mark = "";
  #entries = new Map<string, ConfigEntry>();

  constructor(store: ConfigStore, form: OldForm) {
    this.#store = store;
    this.#form = form;
  }

  /** By name, in their order. Looked for anew when the store has changed. */
  all(): ReadonlyMap<string, ConfigEntry> {
    const { mark } = this.#store;
    if (mark !== this.#mark) {
      const entries = this.#store.list().filter((entry) => this.#form.canHold(entry) !== null);
      this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
      this.#mark = mark;
    }
    return this.#entries;
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
