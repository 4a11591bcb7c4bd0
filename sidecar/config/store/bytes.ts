/** How much may be kept of configurations, in bytes: all of them are held in memory, and read at each start. */
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import { columnsOf } from "./rows.ts";

export type ByteLimits = { configBytes: number; configsBytes: number };
/** Of one server, where `name` says which; else of all together. */
export type TooMuch = { name: string | null; message: string };

/** Why there would be too much after these edits; null: there would not. What only gets less is always taken. */
export function tooMuch(
  edits: readonly ConfigEdit[],
  { get, bytes, limits }: { get(name: string): ConfigEntry | null; bytes: number; limits: ByteLimits },
): TooMuch | null {
  let more = 0;
  for (const { name, entry } of edits) {
    const before = sizesOf(get(name));
    const after = sizesOf(entry);
    if (after.config > limits.configBytes && after.config > before.config)
      return { name, message: `expected at most ${limits.configBytes} bytes as JSON` };
    more += after.all - before.all;
  }
  if (more <= 0 || bytes + more <= limits.configsBytes) return null;
  return {
    name: null,
    message: `all servers together may have at most ${limits.configsBytes} bytes as JSON`,
  };
}

function sizesOf(entry: ConfigEntry | null): { config: number; all: number } {
  if (!entry) return { config: 0, all: 0 };
  const [config, agents, tools] = columnsOf(entry);
  return {
    config: Buffer.byteLength(config),
    all: Buffer.byteLength(config) + Buffer.byteLength(agents) + Buffer.byteLength(tools),
  };
}
