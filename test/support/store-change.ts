/** A change in a store of configurations that has everything in it that one can have. */
import type { ConfigStore } from "../../sidecar/config/store/store.ts";
import { configEntry, removeConfig, setConfig } from "./config-entry.ts";

const ADDED = Array.from({ length: 14 }, (_, n) => `added-${n}`);

const entriesOf = (names: readonly string[], version: number) =>
  new Map(names.map((name) => [name, configEntry(name, version)]));

const BY = { by: ".mcp.json", source: "file" } as const;

/** What there is before. */
export function writeOld(store: ConfigStore): void {
  const names = ["kept", "changed", "removed"];
  const edits = names.map((name) => setConfig(name, 1, { agent_names: ["x", "y"] }));
  store.write(edits, BY, { nowMs: 1, seed: { source: "file", entries: entriesOf(names, 1) } });
}

export function writeNew(store: ConfigStore): void {
  const edits = [
    setConfig("changed", 2, { agent_names: ["x", "z"] }),
    removeConfig("removed"),
    ...ADDED.map((name) => setConfig(name, 2, { agent_names: ["x"] })),
  ];
  store.write(edits, BY, {
    nowMs: 2,
    seed: { source: "file", entries: entriesOf(["kept", "changed", ...ADDED], 2) },
    lost: { edits: [setConfig("changed", 3)], author: { by: "ada", source: "api" } },
  });
}
