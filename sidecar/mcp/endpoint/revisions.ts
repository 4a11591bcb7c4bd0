/** The revisions of MCP that are spoken here, and the names that they share. */

/** The revision without sessions: each request says by itself who asks and what it can. */
export const MODERN_VERSION = "2026-07-28";

/** Revisions that begin with `initialize`, the newest first: a client that names none of them gets that one. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
export const NEWEST_LEGACY_VERSION = "2025-11-25";

/** From this one on a client expects an event without data at the beginning of a stream, to come back by. */
export const PRIMED_SINCE = "2025-11-25";

const PREFIX = "io.modelcontextprotocol/";

/** Keys of `_meta` that belong to the protocol of 2026. */
export const META = {
  version: `${PREFIX}protocolVersion`,
  clientInfo: `${PREFIX}clientInfo`,
  capabilities: `${PREFIX}clientCapabilities`,
  logLevel: `${PREFIX}logLevel`,
  serverInfo: `${PREFIX}serverInfo`,
  subscriptionId: `${PREFIX}subscriptionId`,
} as const;

/** What servers tell all their clients of the lists that they offer. */
export const LIST_CHANGES = {
  "notifications/tools/list_changed": { filter: "toolsListChanged", capability: "tools" },
  "notifications/prompts/list_changed": { filter: "promptsListChanged", capability: "prompts" },
  "notifications/resources/list_changed": { filter: "resourcesListChanged", capability: "resources" },
} as const;

export const isListChange = (method: string): method is keyof typeof LIST_CHANGES =>
  Object.hasOwn(LIST_CHANGES, method);

export const RESOURCE_UPDATED = "notifications/resources/updated";
export const LOG_MESSAGE = "notifications/message";
export const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

/** The only answers for which a 2026 server says how long they hold. */
export const CACHEABLE: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "server/discover",
]);

/** Answered as plain JSON whatever a server says meanwhile: the gateway reads them. */
export const NEVER_STREAMED: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "server/discover",
]);
