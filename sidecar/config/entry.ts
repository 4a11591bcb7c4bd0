/** The configuration of one MCP server, as it is kept: word for word as it was written, `${VAR}` not yet replaced. */
import type { ConfigItem, ConfigSource, ConfigValue } from "../../shared/protocol/config.ts";

/** Without what only a version has: see `ConfigValue`. */
export type ConfigEntry = { name: string } & ConfigValue;

export type StoredConfig = ConfigItem;

/** `entry` null: it is removed. */
export type ConfigEdit = { name: string; entry: ConfigEntry | null };

/** Who changes something, and through what. */
export type Author = { by: string; source: ConfigSource };
