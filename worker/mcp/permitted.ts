/** What a message is about, and whether its client may say it. */
import { HivegateError } from "../../shared/errors.ts";
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import type { Access } from "./access.ts";
import type { McpMessage } from "./message.ts";
import { unknownTool } from "./policy.ts";

/** A server's own name for a tool; null: it is about none. */
export type ToolPlace = { server: string; tool: string } | null;

type Params = McpMessage["params"];
type About = { server: string | null; params: Params; access: Access };

const nameIn = (params: Params, field: string): string => {
  const name = params[field];
  return typeof name === "string" ? name : "";
};

/** `server` null: the name is qualified. */
const placeOf = (server: string | null, name: string) =>
  server === null ? splitQualifiedName(name) : { server, name };

function checkPrompt({ server, access }: About, name: string): null {
  const place = placeOf(server, name);
  if (!place || !access.prompt(place.server, place.name))
    throw new HivegateError("unknown_prompt", `Unknown prompt: ${name.slice(0, 200)}`);
  return null;
}

/** Which server a URI is of only the sidecar knows: with all servers as one it takes the permission for all. */
function checkResource({ server, access }: About): null {
  if (!access.resources(server)) throw new HivegateError("unknown_resource");
  return null;
}

function checkReference(about: About): null {
  const { ref } = about.params;
  const named = typeof ref === "object" && ref !== null ? { ...ref } : {};
  return nameIn(named, "type") === "ref/resource"
    ? checkResource(about)
    : checkPrompt(about, nameIn(named, "name"));
}

function checkListening(about: About): null {
  const { notifications: filter } = about.params;
  const asksOfResources = typeof filter === "object" && filter !== null && "resourceSubscriptions" in filter;
  return asksOfResources ? checkResource(about) : null;
}

const open = () => null;

const CHECKS: Readonly<Record<string, (about: About) => ToolPlace>> = {
  "tools/call": ({ server, params }) => {
    const name = nameIn(params, "name");
    const place = placeOf(server, name);
    if (!place) throw unknownTool(name);
    return { server: place.server, tool: place.name };
  },
  "prompts/get": (about) => checkPrompt(about, nameIn(about.params, "name")),
  "resources/read": checkResource,
  "resources/subscribe": checkResource,
  "resources/unsubscribe": checkResource,
  "completion/complete": checkReference,
  "subscriptions/listen": checkListening,
  ...Object.fromEntries(
    [
      ...["initialize", "ping", "server/discover", "logging/setLevel"],
      ...["tools/list", "prompts/list", "resources/list", "resources/templates/list"],
    ].map((method) => [method, open]),
  ),
};

/**
 * The tool that a message calls, if it calls one: that it may be is for `Policy.takeCall` to say.
 * @throws HivegateError `unknown_prompt`, `unknown_resource`, `unknown_tool`, `unknown_message`
 */
export function checkMessage(
  { kind, method, params }: McpMessage,
  server: string | null,
  access: Access,
): ToolPlace {
  if (kind !== "request") return null;
  const check = Object.hasOwn(CHECKS, method) ? CHECKS[method] : undefined;
  if (check) return check({ server, params, access });
  // What a method may do that is not known here cannot be told: who may do everything may do that too.
  if (!access.all) throw new HivegateError("unknown_message", `Method not found: ${method.slice(0, 200)}`);
  return null;
}
