/** What configurations come to as one hash, wherever they are kept: so that two places can be compared. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { Fingerprint } from "./backend.ts";
import type { ConfigEntry } from "./entry.ts";

/** Entries are never written to, and the same ones are compared with each change. */
const known = new WeakMap<ConfigEntry, string>();

/** The one text of an entry. Agents are a set; the patterns of tools are a list, in their order. */
export function canonicalEntry(entry: ConfigEntry): string {
  const before = known.get(entry);
  if (before !== undefined) return before;
  const { name, config, agent_names, allowed_tools, enabled } = entry;
  const text = canonicalJson({ name, config, agent_names: agentsOf(agent_names), allowed_tools, enabled });
  known.set(entry, text);
  return text;
}

/** Over the entries in the order of their names (of their code units), whatever order they are given in. */
export function fingerprintOf(entries: readonly ConfigEntry[]): Fingerprint {
  const hash = createHash("sha256");
  const ordered = entries.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of ordered) hash.update(`${canonicalEntry(entry)}\n`);
  return {
    servers: entries.length,
    assignments: entries.reduce((sum, { agent_names }) => sum + agentsOf(agent_names).length, 0),
    sha256: hash.digest("hex"),
  };
}

export const sameEntry = (one: ConfigEntry, other: ConfigEntry): boolean =>
  one === other || canonicalEntry(one) === canonicalEntry(other);

/** Whether they are started or reached alike, whoever may use them. */
export const sameConfig = (one: Pick<ConfigEntry, "config">, other: Pick<ConfigEntry, "config">): boolean =>
  canonicalJson(one.config) === canonicalJson(other.config);

const agentsOf = (names: readonly string[]): string[] => [...new Set(names)].sort();
