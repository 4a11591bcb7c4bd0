import type { ConfigBackend } from "../backend.ts";
import type { Author } from "../entry.ts";
import type { ConfigStore } from "./store.ts";

/** The store as one of two places that configurations may be in. `author`: who writes by this way. */
export const asBackend = (
  store: ConfigStore,
  author: Author = { by: "migration", source: "migration" },
  now: () => number = Date.now,
): ConfigBackend => ({
  kind: "new",
  list: async () => store.list(),
  get: async (name) => store.get(name),
  ofAgent: async (agent) => store.ofAgent(agent),
  write: async (edits) => void store.write(edits, author, { nowMs: now() }),
  fingerprint: async () => store.fingerprint(),
  close: async () => store.close(),
});
