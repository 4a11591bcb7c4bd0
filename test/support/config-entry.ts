import type { ConfigEdit, ConfigEntry } from "../../sidecar/config/entry.ts";

/** An entry whose process is told `version`, so that two of them differ. */
export const configEntry = (name: string, version = 1, more: Partial<ConfigEntry> = {}): ConfigEntry => ({
  name,
  config: { command: "serve", args: [String(version)] },
  agent_names: [],
  allowed_tools: ["*"],
  enabled: true,
  ...more,
});

export const setConfig = (...entry: Parameters<typeof configEntry>): ConfigEdit => ({
  name: entry[0],
  entry: configEntry(...entry),
});

export const removeConfig = (name: string): ConfigEdit => ({ name, entry: null });
