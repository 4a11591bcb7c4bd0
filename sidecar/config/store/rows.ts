/** Rows of `configs.db` as what they say, and back. */
import { z } from "zod";
import { ConfigSource, ConfigValue, type ConfigVersion } from "../../../shared/protocol/config.ts";
import type { ConfigEntry, StoredConfig } from "../entry.ts";

const ValueRow = z.object({
  config: z.string(),
  agent_names: z.string(),
  allowed_tools: z.string(),
  enabled: z.number(),
});

const ConfigRow = ValueRow.extend({
  name: z.string(),
  revision: z.int(),
  created_at: z.int(),
  updated_at: z.int(),
});

export function readConfig(row: unknown): StoredConfig {
  const { name, revision, created_at, updated_at, ...columns } = ConfigRow.parse(row);
  return { name, ...readColumns(columns), revision, created_at, updated_at };
}

const readColumns = (row: z.infer<typeof ValueRow>): ConfigValue =>
  ConfigValue.parse({
    config: JSON.parse(row.config),
    agent_names: JSON.parse(row.agent_names),
    allowed_tools: JSON.parse(row.allowed_tools),
    enabled: row.enabled === 1,
  });

/** In the order of the statement's parameters. */
export const columnsOf = ({ config, agent_names, allowed_tools, enabled }: ConfigValue) =>
  [
    JSON.stringify(config),
    JSON.stringify(agent_names),
    JSON.stringify(allowed_tools),
    enabled ? 1 : 0,
  ] as const;

export const justValue = ({ config, agent_names, allowed_tools, enabled }: ConfigValue): ConfigValue => ({
  ...{ config, agent_names, allowed_tools, enabled },
});

const VersionRow = z.object({
  revision: z.int(),
  name: z.string(),
  value: z.string().nullable(),
  at: z.int(),
  by: z.string(),
  source: ConfigSource,
  lost: z.number(),
});

export function readVersion(row: unknown): ConfigVersion {
  const { value, lost, ...version } = VersionRow.parse(row);
  return {
    ...version,
    value: value === null ? null : ConfigValue.parse(JSON.parse(value)),
    lost: lost === 1,
  };
}

/** What the file, MCP_SERVERS or the default said: every entry, by name. */
export type Seed = {
  source: "file" | "environment" | "default";
  entries: ReadonlyMap<string, ConfigEntry>;
  /** With a file, the names of those that MCP_SERVERS said beside it; none. */
  beside?: ReadonlySet<string>;
};

const SeedRow = z.object({
  source: z.enum(["file", "environment", "default"]),
  entries: z.string(),
  read_at: z.int(),
});
const SeedEntries = z.array(ConfigValue.extend({ name: z.string(), beside: z.boolean().default(false) }));

export function readSeed(row: unknown): Seed & { readAtMs: number } {
  const { source, entries, read_at } = SeedRow.parse(row);
  const list = SeedEntries.parse(JSON.parse(entries));
  return {
    source,
    entries: new Map(list.map(({ beside: _, ...entry }) => [entry.name, entry])),
    beside: new Set(list.filter(({ beside }) => beside).map(({ name }) => name)),
    readAtMs: read_at,
  };
}
