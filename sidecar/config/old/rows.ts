/**
 * What the older system's rows are as an entry, and back. An older row's texts are meant as they are, so that a `${` in one
 * becomes `$${`: here, `${NAME}` would stand for a variable.
 */
import type { ConfigEntry } from "../entry.ts";
import type { OldValues } from "./row.ts";
import { isTypePlain, normalSettings, OldSettings } from "./settings.ts";

/** `agents`: the names of those that it is assigned to. */
export function entryOf(row: OldValues, agents: readonly string[]): ConfigEntry {
  const [command, ...args] = row.command;
  const config = {
    type: row.server_type,
    ...(command !== undefined && { command, args }),
    env: row.env,
    ...(row.http_url !== null && { url: row.http_url }),
    ...(row.description !== null && { description: row.description }),
    tags: row.tags,
    priority: row.priority,
    maxRetries: row.max_retries,
    timeoutSeconds: row.timeout_seconds,
    autoStart: row.auto_start,
  };
  return {
    name: row.name,
    config: normalSettings(inTexts(config, escaped)),
    agent_names: asSet(agents),
    allowed_tools: ["*"],
    enabled: row.enabled,
  };
}

/** The one form of an entry that means the same: what the older tables give back when they hold it. */
export function normalEntry(entry: ConfigEntry): ConfigEntry {
  return { ...entry, config: normalSettings(entry.config), agent_names: asSet(entry.agent_names) };
}

/** The row that holds it; or what the older tables lack for that. */
export function valuesOf({
  name,
  config,
  allowed_tools,
  enabled,
}: Omit<ConfigEntry, "agent_names">): OldValues | { lacks: string } {
  if (allowed_tools.length !== 1 || allowed_tools[0] !== "*") return lacks("allowed_tools other than *");
  if (name.length > MOST_NAME_CHARS) return lacks(`names of more than ${MOST_NAME_CHARS} characters`);
  const settings = OldSettings.safeParse(normalSettings(config));
  if (!settings.success) return lacks(fieldOf(settings.error));
  if (hasVariable(config)) return lacks("places for variables");
  const { type = "command" in settings.data ? "stdio" : "http", ...said } = inTexts(settings.data, unescaped);
  if (type === "stdio" ? said.command === undefined : said.url === undefined)
    return lacks(type === "stdio" ? "stdio without command" : "http without url");
  if (!isTypePlain({ type, ...said }) && (said.command === undefined || said.url === undefined))
    return lacks("addresses other than http:// and https://");
  if (said.command === undefined && said.args.length > 0) return lacks("args without command");
  if ((said.url?.length ?? 0) > MOST_URL_CHARS)
    return lacks(`addresses of more than ${MOST_URL_CHARS} characters`);
  return {
    name,
    server_type: type,
    description: said.description ?? null,
    command: said.command === undefined ? [] : [said.command, ...said.args],
    env: said.env,
    http_url: said.url ?? null,
    auto_start: said.autoStart,
    max_retries: said.maxRetries,
    timeout_seconds: said.timeoutSeconds,
    tags: said.tags,
    priority: said.priority,
    enabled,
  };
}

/** As the older columns have them in PostgreSQL. */
const MOST_NAME_CHARS = 255;
const MOST_URL_CHARS = 500;

const lacks = (what: string) => ({ lacks: what });

function fieldOf({
  issues: [issue],
}: {
  issues: { code: string; path: PropertyKey[]; keys?: string[] }[];
}): string {
  if (issue?.code === "unrecognized_keys") return String(issue.keys?.[0]);
  return `this ${String(issue?.path[0] ?? "configuration")}`;
}

/** With each text as one that is meant as it is. */
export const asWritten = (config: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  inTexts(config, escaped);

const escaped = (text: string): string => text.replaceAll("${", () => "$${");
const unescaped = (text: string): string => text.replaceAll("$${", () => "${");

function hasVariable(value: unknown): boolean {
  if (typeof value === "string") return value.replaceAll("$${", "\0").includes("${");
  return typeof value === "object" && value !== null && Object.values(value).some(hasVariable);
}

/** The same with each text in it changed, at any depth; names of fields stay as they are. */
function inTexts<T>(value: T, change: (text: string) => string): T;
function inTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => inTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inTexts(item, change)]));
}

const asSet = (names: readonly string[]): string[] => [...new Set(names)].sort();
