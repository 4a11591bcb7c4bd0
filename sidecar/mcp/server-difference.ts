/** What is another one between two lists of servers. */
import type { ConfigDifference } from "../../shared/protocol/config.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { McpServerConfig } from "./server-config.ts";

/** What is no business of the connection, so that it stays as it is when this changes. */
const SETTINGS: ReadonlySet<string> = new Set<keyof McpServerConfig>([
  ...(["pool", "profile", "generic", "category", "cache"] as const),
  ...(["eager", "allowedTools", "timeoutMs"] as const),
]);

const isSameServer = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(one) === canonicalJson(other);

/** Whether a connection that was made for the one does for the other. */
export const isSameConnection = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(connectionIn(one)) === canonicalJson(connectionIn(other));

/** Whether clients see the same of it. */
export const isSameView = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(one.allowedTools) === canonicalJson(other.allowedTools);

/** By names, in the order of `after`, and of `before` where they are there no more. */
export function serverDifference(
  before: readonly McpServerConfig[],
  after: readonly McpServerConfig[],
): ConfigDifference {
  const old = new Map(before.map((config) => [config.name, config]));
  const left = new Set(old.keys());
  const difference: ConfigDifference = { added: [], changed: [], removed: [] };
  for (const config of after) {
    const known = old.get(config.name);
    left.delete(config.name);
    if (!known) difference.added.push(config.name);
    else if (!isSameServer(known, config)) difference.changed.push(config.name);
  }
  return { ...difference, removed: [...left] };
}

export const isDifference = ({ added, changed, removed }: ConfigDifference): boolean =>
  added.length + changed.length + removed.length > 0;

const connectionIn = (config: McpServerConfig): object =>
  Object.fromEntries(Object.entries(config).filter(([field]) => !SETTINGS.has(field)));
