/** Reads a file of MCP servers, as `.mcp.json` is. See `schema.ts` for what it may say. */
import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigProblem } from "../../../shared/protocol/config.ts";
import { ServerName } from "../../mcp/server-config.ts";
import type { ConfigEntry } from "../entry.ts";
import type { EntryProblem } from "./expand.ts";
import { problemOf } from "./issue.ts";
import { ignoredKey, nearAdvice } from "./known-keys.ts";
import { shapeOf } from "./shape.ts";
import { type JsonText, type Path, type Place, readJsonText } from "./text.ts";

export type ParsedConfigFile =
  | {
      ok: true;
      entries: ConfigEntry[];
      warnings: ConfigProblem[];
      /** Where something in a server's entry is: `path` as in an `EntryProblem`. */
      placeOf(name: string, path: Path): Place;
    }
  | { ok: false; problem: ConfigProblem };

const SERVERS = "mcpServers";

type Made = { entry: ConfigEntry; warnings: EntryProblem[] };

/** A long text is looked at more than once: by the watcher, before each change, and when it is taken over. */
let last: { text: string; file: ParsedConfigFile } | null = null;
/** By name, as JSON, what the last file said that was right: most of the next one is the same, and stays the same objects. */
let lastMade: ReadonlyMap<string, { said: string; made: Made }> = new Map();

/** Never throws. It is refused whole, at the first thing that is wrong; nothing of a value is in any message. */
export function parseConfigFile(text: string): ParsedConfigFile {
  if (last?.text !== text) last = { text, file: parsed(text) };
  return last.file;
}

function parsed(text: string): ParsedConfigFile {
  const json = readJsonText(text);
  if ("message" in json) return { ok: false, problem: json };
  const refused = (message: string, path: Path, of: "key" | "value" = "value"): ParsedConfigFile => ({
    ok: false,
    problem: { message, ...json.placeOf(path, of) },
  });
  const file = objectOf(json.value);
  const servers = objectOf(file?.[SERVERS]);
  if (!file || !servers) return refused(`expected an object "${SERVERS}" of servers by name`, [SERVERS]);
  const named = Object.entries(servers);
  if (named.length > LIMITS.configServers)
    return refused(`expected at most ${LIMITS.configServers} servers`, [SERVERS], "key");
  const warnings = topLevelWarnings(file, json);
  const entries: ConfigEntry[] = [];
  const allMade = new Map<string, { said: string; made: Made }>();
  for (const [name, value] of named) {
    const wrongName = lastMade.has(name) ? null : ServerName.safeParse(name).error;
    if (wrongName) return refused(problemOf(wrongName.issues, name).message, [SERVERS, name], "key");
    const said = JSON.stringify(value);
    const before = lastMade.get(name);
    const made = before?.said === said ? before.made : entryOf(name, value);
    if ("message" in made) return refused(made.message, [SERVERS, name, ...made.path]);
    allMade.set(name, { said, made });
    entries.push(made.entry);
    for (const { message, path } of made.warnings.slice(0, LIMITS.configWarnings - warnings.length))
      warnings.push({ message, ...json.placeOf([SERVERS, name, ...path], "key") });
  }
  lastMade = allMade;
  return {
    ok: true,
    entries,
    warnings,
    placeOf: (name, path) => json.placeOf([SERVERS, name, ...path]),
  };
}

function topLevelWarnings(file: Readonly<Record<string, unknown>>, json: JsonText): ConfigProblem[] {
  return Object.keys(file)
    .filter((key) => key !== SERVERS && key !== "$schema")
    .slice(0, LIMITS.configWarnings)
    .map((key) => ({
      message: `ignored: ${nearAdvice(key, [SERVERS]) ?? `only "${SERVERS}" is read`}`,
      ...json.placeOf([key], "key"),
    }));
}

/** What a server's entry in the file comes to. The four fields that have columns of their own leave it. */
function entryOf(name: string, value: unknown): Made | EntryProblem {
  const written = objectOf(value);
  if (!written) return { message: "expected an object", path: [] };
  const shape = shapeOf(written);
  if ("message" in shape) return shape;
  const { enabled, disabled, agentNames, allowedTools } = shape.fields;
  if (enabled !== undefined && disabled !== undefined && enabled === disabled)
    return { message: "expected enabled and disabled not to contradict each other", path: ["disabled"] };
  const { enabled: _e, disabled: _d, agentNames: _n, allowedTools: _t, ...config } = written;
  return {
    entry: {
      ...{ name, config },
      agent_names: agentNames ?? [],
      allowed_tools: allowedTools ?? ["*"],
      enabled: enabled ?? !(disabled ?? false),
    },
    warnings: Object.keys(written).flatMap((key) => {
      const message = ignoredKey(key, shape.kind);
      return message === null ? [] : [{ message, path: [key] }];
    }),
  };
}

const objectOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
