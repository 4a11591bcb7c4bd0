/** From an entry as it is kept to a server as it is reached: variables replaced, and everything checked. */
import { McpServerConfig, poolStranger, SAME_PROFILE } from "../../mcp/server-config.ts";
import type { ConfigEntry } from "../entry.ts";
import { type EntryProblem, expandAll } from "./expand.ts";
import { problemOf } from "./issue.ts";
import { kindOf } from "./kind.ts";
import type { Rules } from "./rules.ts";
import { shapeOfKept } from "./shape.ts";

/** Whether it is enabled is not asked. What is wrong is told without any value: it may be a secret. */
export function toServerConfig(entry: ConfigEntry, rules: Rules): McpServerConfig | EntryProblem {
  const shape = shapeOfKept(entry.config);
  if ("message" in shape) return shape;
  const { description: _d, tags: _t, ...fields } = shape.fields;
  const expanded = expandAll(fields, (name) => {
    const refusal = rules.mayUse(name);
    if (refusal !== null) return { message: refusal };
    // One that is empty counts as not set, as everywhere.
    return (Object.hasOwn(rules.env, name) && rules.env[name]) || null;
  });
  if ("message" in expanded) return expanded;
  const server = serverOf(entry, { ...Object(expanded.value) });
  return "message" in server ? server : (rules.refusalOf(server) ?? server);
}

function serverOf(entry: ConfigEntry, fields: Record<string, unknown>): McpServerConfig | EntryProblem {
  const kind = kindOf(fields);
  if (typeof kind === "object") return kind;
  const parsed = McpServerConfig.safeParse({
    ...fields,
    ...{ name: entry.name, type: kind },
    ...(!entry.allowed_tools.includes("*") && { allowedTools: entry.allowed_tools }),
    // As ${TOKEN:-} is where there is none.
    ...(fields.token === "" && { token: null }),
    ...("port" in fields && { port: numberOf(fields.port) }),
    ...("timeoutMs" in fields && { timeoutMs: numberOf(fields.timeoutMs) }),
  });
  return parsed.success ? parsed.data : problemOf(parsed.error.issues, fields);
}

/** Where a variable stood for a number. */
const numberOf = (value: unknown): unknown =>
  typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;

/** What is wrong with servers only because of each other; null: nothing. Their names differ. */
export function checkTogether(servers: readonly McpServerConfig[]): ({ name: string } & EntryProblem) | null {
  const stranger = poolStranger(servers);
  return (
    stranger && { name: stranger.name, message: SAME_PROFILE, path: [stranger.pool ? "pool" : "profile"] }
  );
}
