/**
 * Which MCP servers there are, as the API tells and takes it: `/api/v1/mcp/…` at the sidecar and, for those whom it allows,
 * at the gateway. Field names are those of the table `mcp_configs`. See docs/PROTOCOL.md.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { Timestamp } from "./ids.ts";

/** Where a change came from. `restore`: an older version, through the API; `old`: the older system's endpoints. */
export const ConfigSource = z.enum([
  ...["file", "environment", "default", "api", "old", "restore", "migration"],
] as const);
export type ConfigSource = z.infer<typeof ConfigSource>;

/** A secret that is there and is not shown. Given back in a PUT, it leaves that secret as it is. */
export const HIDDEN = "***";

const names = (most: number) => z.array(z.string().min(1).max(255)).max(most);

/**
 * What belongs to one server. `config` is its entry in `mcpServers`, with `${VAR}` as it was written, without what stands beside it
 * here: `enabled`, `disabled`, `agentNames`, `allowedTools`.
 */
export const ConfigValue = z.strictObject({
  config: z.record(z.string(), z.unknown()),
  agent_names: names(LIMITS.configAgents).default([]),
  /** Patterns of tools' names, as in permissions; no other tool of this server is there for anybody. */
  allowed_tools: names(LIMITS.configTools).default(["*"]),
  enabled: z.boolean().default(true),
});
export type ConfigValue = z.infer<typeof ConfigValue>;

/** A version of one server's configuration. Its `ETag` is `"<revision>"`. Revisions count all changes of all servers. */
export const ConfigItem = ConfigValue.extend({
  name: z.string(),
  revision: z.int().positive(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type ConfigItem = z.infer<typeof ConfigItem>;

/** Its `ETag` is `"<revision>"` too: the last change of all. */
export const ConfigList = z.object({ revision: z.int().nonnegative(), configs: z.array(ConfigItem) });
export type ConfigList = z.infer<typeof ConfigList>;

/** Newest first. `value` null: it was removed. `by` is who it was, as far as that is known. */
export const ConfigVersion = z.object({
  revision: z.int().positive(),
  name: z.string(),
  value: ConfigValue.nullable(),
  at: Timestamp,
  by: z.string(),
  source: ConfigSource,
  /** A version that took no effect, because another one of the same moment did: see `ConfigConflict`. */
  lost: z.boolean(),
});
export type ConfigVersion = z.infer<typeof ConfigVersion>;
export const ConfigHistory = z.object({ versions: z.array(ConfigVersion), more: z.boolean() });
export type ConfigHistory = z.infer<typeof ConfigHistory>;

/** Of a text: lines and columns count from 1. */
const place = { line: z.int().positive(), column: z.int().positive() };
export const ConfigProblem = z.object({ message: z.string(), ...place });
export type ConfigProblem = z.infer<typeof ConfigProblem>;

/** Two changed the same server without knowing of each other. Both versions are in the history. */
export const ConfigConflict = z.object({
  name: z.string(),
  at: Timestamp,
  /** What is in force, and what is not. */
  kept: z.int().positive(),
  lost: z.int().positive(),
  message: z.string(),
});
export type ConfigConflict = z.infer<typeof ConfigConflict>;

export const ConfigStatus = z.object({
  /** 0: nothing was ever configured. */
  revision: z.int().nonnegative(),
  changed_at: Timestamp.nullable(),
  changed_by: z.string().nullable(),
  source: ConfigSource.nullable(),
  servers: z.int().nonnegative(),
  /** Null where no file is used. `read_at`: when what it says was taken over last. */
  file: z
    .object({
      name: z.string(),
      state: z.enum(["watched", "missing", "refused"]),
      read_at: Timestamp.nullable(),
      warnings: z.array(ConfigProblem),
    })
    .nullable(),
  /** Of the last attempt, if that failed. What was in force before still is. */
  last_error: z
    .object({
      at: Timestamp,
      source: ConfigSource,
      message: z.string(),
      line: place.line.nullable(),
      column: place.column.nullable(),
    })
    .nullable(),
  /** Since the start, the newest last, at most `LIMITS.configConflicts`. */
  conflicts: z.array(ConfigConflict),
});
export type ConfigStatus = z.infer<typeof ConfigStatus>;

/** What a change came to, by names of servers. */
export const ConfigDifference = z.object({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
});
export type ConfigDifference = z.infer<typeof ConfigDifference>;

/** `POST /api/v1/mcp/reload`: reads the file again now. @see ConfigStatus for what went wrong */
export const ReloadAnswer = ConfigDifference.extend({ revision: z.int().nonnegative() });
export type ReloadAnswer = z.infer<typeof ReloadAnswer>;

/**
 * What clients hear. All lists are empty where names are not for the client, or are not known any more: then it was away,
 * or the gateway was, and several changes may be one.
 */
export const ConfigChanged = z.object({
  type: z.literal("config_changed"),
  revision: z.int().positive(),
  ...ConfigDifference.shape,
  timestamp: Timestamp,
});
export type ConfigChanged = z.infer<typeof ConfigChanged>;

/** Which revision is in force. Whoever knew of another one has missed a change, and cannot be told what it came to. */
export const ConfigRevision = z.object({
  type: z.literal("config_revision"),
  revision: z.int().nonnegative(),
});
export type ConfigRevision = z.infer<typeof ConfigRevision>;
