/** What one client may use of the MCP servers: its token's permissions, less what the rules take away. */
import { anyOf, type Pattern } from "../../shared/auth/pattern.ts";
import { type Identity, patternsOf } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import { qualifiedName } from "../../shared/protocol/qualified-name.ts";
import { GATEWAY_SERVER } from "../../shared/protocol/tools.ts";
import type { AccessRule } from "./rules.ts";

export type Access = {
  /** Those of the gateway's own go by other permissions, but by the rules like all others. */
  tool(server: string, name: string): boolean;
  prompt(server: string, name: string): boolean;
  /** Null: of all servers. */
  resources(server: string | null): boolean;
  /** Whether anything of this server may be used: one of which nothing may does not exist. */
  server(name: string): boolean;
  /** Anything at all. */
  any: boolean;
  /** Everything there is, so that no list has to be looked through. */
  all: boolean;
};

/** A longer name is nobody's, whatever rules and tokens say: some pattern that is about it might not see it. */
const isName = (server: string, name = ""): boolean =>
  server.length <= LIMITS.serverNameChars && name.length <= LIMITS.toolNameChars;

export function accessOf(
  identity: Pick<Identity, "subject" | "permissions" | "role">,
  rules: readonly AccessRule[],
): Access {
  const granted = {
    tools: patternsOf(identity, "tools:call"),
    prompts: patternsOf(identity, "prompts:get"),
    resources: patternsOf(identity, "resources:read"),
  };
  const tools = anyOf(granted.tools);
  const prompts = anyOf(granted.prompts);
  const resources = anyOf(granted.resources);
  const ruled = rulesAbout(identity, rules);
  return {
    tool: (server, name) =>
      isName(server, name) &&
      (server === GATEWAY_SERVER || tools.fits(qualifiedName(server, name))) &&
      ruled.allowsTool(server, name),
    prompt: (server, name) =>
      isName(server, name) && prompts.fits(qualifiedName(server, name)) && ruled.allowsRest(server),
    resources: (server) =>
      server === null
        ? granted.resources.includes("*") && ruled.none
        : isName(server) && resources.fits(server) && ruled.allowsRest(server),
    server(server) {
      const start = qualifiedName(server, "");
      const isGranted =
        tools.fitsSomethingUnder(start) || prompts.fitsSomethingUnder(start) || resources.fits(server);
      return isName(server) && isGranted && ruled.allowsSome(server);
    },
    any: Object.values(granted).some((patterns) => patterns.length > 0),
    all: Object.values(granted).every((patterns) => patterns.includes("*")) && ruled.none,
  };
}

type CompiledRule = { allow: boolean; servers: Pattern | null; tools: Pattern | null };

/** Of the rules that are about this client the first that fits decides; where none does it is allowed. */
function rulesAbout({ subject, role }: Pick<Identity, "subject" | "role">, rules: readonly AccessRule[]) {
  const about = rules
    .filter(({ subjects }) => !subjects || anyOf(subjects).fits(subject))
    .filter(({ roles }) => !roles || (role !== undefined && anyOf(roles).fits(role)))
    .map(
      ({ effect, servers, tools }): CompiledRule => ({
        allow: effect === "allow",
        servers: servers ? anyOf(servers) : null,
        tools: tools ? anyOf(tools) : null,
      }),
    );
  const ofServer = ({ servers }: CompiledRule, server: string) => !servers || servers.fits(server);
  const decides = (fits: (rule: CompiledRule) => boolean) => about.find(fits)?.allow ?? true;
  return {
    none: about.length === 0,
    allowsTool: (server: string, name: string) =>
      decides(
        (rule) => ofServer(rule, server) && (!rule.tools || rule.tools.fits(qualifiedName(server, name))),
      ),
    /** Prompts and resources. */
    allowsRest: (server: string) => decides((rule) => ofServer(rule, server) && !rule.tools),
    /** A rule that denies some tools leaves their server to be seen, and one that allows some shows it. */
    allowsSome: (server: string) =>
      decides(
        (rule) =>
          ofServer(rule, server) &&
          (!rule.tools || (rule.allow && rule.tools.fitsSomethingUnder(qualifiedName(server, "")))),
      ),
  };
}
