/** What MCP_SERVERS says, or the swarm's kind brings along, as configurations. */
import type { Config } from "../config.ts";
import type { McpServerConfig } from "../mcp/server-config.ts";
import type { ConfigEntry } from "./entry.ts";
import type { Seed } from "./store/rows.ts";

/**
 * Null: there is nothing to take over. The default is for a sidecar that never had anything else: who took a file away, or
 * migrated, did not ask for it.
 */
export function seedOf(
  config: Pick<Config, "mcpServers" | "mcpServersFrom">,
  { last, revision }: { last: Seed | null; revision: number },
): Seed | null {
  const source = config.mcpServersFrom;
  const isFirst = last === null && revision === 0;
  if (source === "default" && !isFirst && last?.source !== "default") return null;
  return { source, entries: entriesOf(config) };
}

export const entriesOf = ({ mcpServers }: Pick<Config, "mcpServers">): Map<string, ConfigEntry> =>
  new Map(mcpServers.map((server) => [server.name, entryOf(server)]));

function entryOf({ name, allowedTools = ["*"], ...server }: McpServerConfig): ConfigEntry {
  const config = Object.fromEntries(
    Object.entries(server)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([field, value]) => [field, literal(value)]),
  );
  return { name, config, agent_names: [], allowed_tools: allowedTools, enabled: true };
}

/** There `${` stands for itself, as it always did. */
function literal(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, literal(part)]));
}
