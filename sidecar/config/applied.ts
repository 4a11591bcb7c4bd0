/** Which servers a set of configurations comes to. */
import { LIMITS } from "../../shared/limits.ts";
import { type McpServerConfig, ServerName } from "../mcp/server-config.ts";
import type { ConfigEntry } from "./entry.ts";
import type { EntryProblem } from "./file/expand.ts";
import type { Rules } from "./file/rules.ts";
import { checkTogether, toServerConfig } from "./file/server.ts";

export type Applied = {
  /** What can be applied, in the order of the entries. */
  servers: McpServerConfig[];
  /** What cannot, and why: by name. */
  left: Map<string, EntryProblem>;
};

/** `own`: for what the file or the environment of the sidecar says; `api`: for what came through the API. */
export type RulesOf = { own: Rules; api: Rules };

export class Applying {
  readonly #rules: RulesOf;
  /** Entries are never written to, and most of them are the same from one change to the next. */
  readonly #known = {
    own: new WeakMap<ConfigEntry, McpServerConfig | EntryProblem | null>(),
    api: new WeakMap<ConfigEntry, McpServerConfig | EntryProblem | null>(),
  };

  constructor(rules: RulesOf) {
    this.#rules = rules;
  }

  /** `limited`: the names of those for which the rules of the API hold. Those that are not enabled are passed over. */
  of(entries: Iterable<ConfigEntry>, limited: ReadonlySet<string>): Applied {
    const left: Applied["left"] = new Map();
    const servers: McpServerConfig[] = [];
    for (const entry of entries) {
      const server = this.#server(entry, limited.has(entry.name) ? "api" : "own");
      if (server === null) continue;
      if ("message" in server) left.set(entry.name, server);
      else if (servers.length >= LIMITS.enabledServers) left.set(entry.name, TOO_MANY);
      else servers.push(server);
    }
    return { servers: withoutStrangers(servers, left), left };
  }

  #server(entry: ConfigEntry, rules: keyof RulesOf): McpServerConfig | EntryProblem | null {
    const known = this.#known[rules].get(entry);
    if (known !== undefined) return known;
    const server = serverOf(entry, this.#rules[rules]);
    this.#known[rules].set(entry, server);
    return server;
  }
}

/** Null: it is not enabled. */
function serverOf(entry: ConfigEntry, rules: Rules): McpServerConfig | EntryProblem | null {
  const name = ServerName.safeParse(entry.name);
  if (!name.success) return { message: name.error.issues[0]?.message ?? "", path: [] };
  return entry.enabled ? toServerConfig(entry, rules) : null;
}

/** Those that cannot be there together: the later one is left out. */
function withoutStrangers(servers: McpServerConfig[], left: Applied["left"]): McpServerConfig[] {
  const stranger = checkTogether(servers);
  if (!stranger) return servers;
  const { name, ...problem } = stranger;
  left.set(name, problem);
  return withoutStrangers(
    servers.filter((server) => server.name !== name),
    left,
  );
}

const TOO_MANY: EntryProblem = {
  message: `at most ${LIMITS.enabledServers} servers may be enabled`,
  path: ["enabled"],
};
