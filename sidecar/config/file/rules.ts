/** What entries may use of the sidecar's host and network, by where they come from. */
import { anyOf } from "../../../shared/auth/pattern.ts";
import type { Config } from "../../config.ts";
import { OWN_SECRETS } from "../../config-variables.ts";
import type { McpServerConfig, McpServerConfigOf } from "../../mcp/server-config.ts";
import type { EntryProblem } from "./expand.ts";

export type Rules = {
  env: Readonly<Record<string, string | undefined>>;
  /** Why this variable may not be used; null: it may. */
  mayUse(variable: string): string | null;
  /** Why this server may not be started or reached; null: it may. */
  refusalOf(server: McpServerConfig): EntryProblem | null;
};

const ownSecret = (variable: string): string | null =>
  OWN_SECRETS.includes(variable) ? `the variable ${variable} is for the sidecar alone` : null;

/** Whoever writes the sidecar's files and environment may start what they like. */
export const ownRules = (env: Rules["env"]): Rules => ({
  env,
  mayUse: ownSecret,
  refusalOf: () => null,
});

/** What comes through the API. */
export function apiRules(env: Rules["env"], may: Config["mcpApi"]): Rules {
  const hosts = anyOf(may.hosts.map((host) => host.toLowerCase()));
  return {
    env,
    mayUse: (variable) =>
      ownSecret(variable) ??
      (may.variables.includes(variable)
        ? null
        : `the variable ${variable} is not one of MCP_API_VARIABLES, ${STARTED}`),
    refusalOf: (server) => {
      if (server.type === "stdio" || server.type === "docker-exec") return refusedStart(server, may);
      const { field, host } = hostOf(server);
      const isAllowed = may.hosts.includes("*") || (HOST.test(host) && hosts.fits(host));
      return isAllowed
        ? null
        : { message: `this host is not one of MCP_API_HOSTS, ${STARTED}`, path: [field] };
    },
  };
}

const STARTED = "which the sidecar is started with";

/** Where a command is started, and what variables say to it, may make any other of it: so only what is known to be harmless goes. */
function refusedStart(
  server: McpServerConfigOf<"stdio" | "docker-exec">,
  { commands, variables }: Config["mcpApi"],
): EntryProblem | null {
  if (commands.includes("*")) return null;
  if (!commands.includes(server.command))
    return { message: `this command is not one of MCP_API_COMMANDS, ${STARTED}`, path: ["command"] };
  const [place, folder] = server.type === "stdio" ? ["cwd", server.cwd] : ["workdir", server.workdir];
  if (folder !== undefined)
    return { message: "through the API it may be given only with MCP_API_COMMANDS=*", path: [place] };
  const variable = Object.keys(server.env).find((name) => !variables.includes(name));
  if (variable === undefined) return null;
  return {
    message: `the variable ${variable} is not one of MCP_API_VARIABLES, ${STARTED}: the API may not set it`,
    path: ["env", variable],
  };
}

/** Whatever else a resolver makes of a text, it has to be a plain name or address to fit a pattern. */
const HOST = /^[\w.:-]+$/;

function hostOf(server: McpServerConfigOf<"tcp" | "http" | "ws">): { field: string; host: string } {
  if (server.type === "tcp") return { field: "host", host: server.host.toLowerCase() };
  return { field: "url", host: new URL(server.url).hostname.replace(/^\[|\]$/g, "") };
}
