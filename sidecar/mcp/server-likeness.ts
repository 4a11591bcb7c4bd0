/** What stays the same when a server is configured in another way. */
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { McpServerConfig } from "./server-config.ts";

/** What is no business of the connection, so that it stays as it is when this changes. */
const SETTINGS: ReadonlySet<string> = new Set<keyof McpServerConfig>([
  ...(["pool", "profile", "generic", "category", "cache"] as const),
  ...(["eager", "allowedTools", "timeoutMs"] as const),
]);

export const isSameServer = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(one) === canonicalJson(other);

/** Whether a connection that was made for the one does for the other. */
export const isSameConnection = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(connectionIn(one)) === canonicalJson(connectionIn(other));

/** Whether clients see the same of it. */
export const isSameView = (one: McpServerConfig, other: McpServerConfig): boolean =>
  canonicalJson(one.allowedTools) === canonicalJson(other.allowedTools);

const connectionIn = (config: McpServerConfig): object =>
  Object.fromEntries(Object.entries(config).filter(([field]) => !SETTINGS.has(field)));
