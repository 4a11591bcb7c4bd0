/** What entries may use of the sidecar's host, by where they come from. */
import type { Config } from "../../config.ts";
import { OWN_SECRETS } from "../../config-variables.ts";

export type Rules = {
  env: Readonly<Record<string, string | undefined>>;
  /** Why this variable may not be used; null: it may. */
  mayUse(variable: string): string | null;
  /** Why nobody may be started like this; null: it may. */
  mayStart(start: { command: string; env: Readonly<Record<string, string>> }): Refusal | null;
};
type Refusal = { message: string; path: readonly string[] };

const ownSecret = (variable: string): string | null =>
  OWN_SECRETS.includes(variable) ? `the variable ${variable} is for the sidecar alone` : null;

/** Whoever writes the sidecar's files and environment may start what they like. */
export const ownRules = (env: Rules["env"]): Rules => ({ env, mayUse: ownSecret, mayStart: () => null });

/** What comes through the API. */
export function apiRules(env: Rules["env"], { commands, variables }: Config["mcpApi"]): Rules {
  return {
    env,
    mayUse: (variable) =>
      ownSecret(variable) ??
      (variables.includes(variable)
        ? null
        : `the variable ${variable} is not one of MCP_API_VARIABLES, which the sidecar is started with`),
    mayStart: (start) => (commands.includes("*") ? null : refusalOf(commands, start)),
  };
}

/** These decide which program a command is, or which code it runs first: with them any command would be any other. */
const DECIDES_WHAT_RUNS =
  /^(PATH|LD_.*|DYLD_.*|NODE_OPTIONS|NODE_PATH|BASH_ENV|ENV|PYTHON.*|PERL.*|RUBY.*|.*JAVA.*_OPT.*)$/i;

function refusalOf(
  commands: readonly string[],
  { command, env }: Parameters<Rules["mayStart"]>[0],
): Refusal | null {
  if (!commands.includes(command))
    return {
      message: "this command is not one of MCP_API_COMMANDS, which the sidecar is started with",
      path: ["command"],
    };
  const variable = Object.keys(env).find((name) => DECIDES_WHAT_RUNS.test(name));
  if (variable === undefined) return null;
  return {
    message: `the variable ${variable} decides what a command runs: the API may set it only with MCP_API_COMMANDS=*`,
    path: ["env", variable],
  };
}
