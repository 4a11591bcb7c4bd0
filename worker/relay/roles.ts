/** What each role may do on the relay. */
import { z } from "zod";
import { anyOf } from "../../shared/auth/pattern.ts";
import { type Identity, may } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { RelayMode } from "../../shared/relay/records.ts";

const patterns = z.array(z.string().min(1).max(200)).max(200);

/**
 * Patterns over the names of messages, with `*` for anything: a JSON-RPC method, `tools/call:NAME` for the call of a
 * tool (`tools/call` is every call), `response` for an answer to a request of the orchestrator's, and the `type` of
 * any other message. `dedicated`: may have a connection of its own, through which nothing is seen.
 */
export const Role = z.strictObject({
  send: patterns,
  receive: patterns,
  dedicated: z.boolean().default(false),
});
export type Role = z.infer<typeof Role>;

export const Roles = z.record(z.string().min(1).max(100), Role);
export type Roles = z.infer<typeof Roles>;

/** Without `relay:write` this is the role, whatever else the token says. */
const READER = "viewer";
const WRITER = "operator";

/** `RELAY_ROLES` adds to these, and replaces those of the same name. */
export const DEFAULT_ROLES: Roles = {
  [READER]: {
    send: [
      ...[
        "ping",
        "initialize",
        "notifications/initialized",
        "notifications/cancelled",
        "*/list",
        "resources/read",
      ],
      ...["tools/call:*_list", "tools/call:*_status", "get_*", "list_*", "request_*", "*follow_task"],
    ],
    receive: ["notifications/*", "ping"],
    dedicated: false,
  },
  [WRITER]: { send: ["*"], receive: ["*"], dedicated: true },
};

/** What keeps a session itself going is nobody's to forbid. */
const OWN = new Set(["ping", "heartbeat", "ack", "refresh_token", "get_session"]);

export type Rights = {
  role: string;
  maySend(name: string): boolean;
  mayReceive(name: string): boolean;
  /** Whatever the message: it need not be looked into. */
  receivesAll: boolean;
};

/**
 * What this client may do.
 * @throws HivegateError `forbidden`, which says what is missing
 */
export function rightsOf(
  identity: Pick<Identity, "permissions" | "scope" | "role">,
  mode: RelayMode,
  roles: Roles,
): Rights {
  // What the orchestrator says does not tell of which swarm it speaks.
  if (Object.values(identity.scope).some((names) => names !== undefined)) {
    throw forbidden("The relay shows the whole hive: it is not open to a token with a scope.");
  }
  if (!may(identity, "relay:read")) throw forbidden("The token does not allow this: it lacks relay:read.");
  const role = may(identity, "relay:write") ? (identity.role ?? WRITER) : READER;
  const rules = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (!rules) throw forbidden("The token's role is not known here. Ask for one that is.");
  if (mode === "dedicated" && !rules.dedicated) {
    throw forbidden(`The role ${role} may not have a connection of its own: use mode=shared.`);
  }
  const maySend = matcher(rules.send);
  return {
    role,
    maySend: (name) => OWN.has(name) || maySend(name),
    mayReceive: matcher(rules.receive),
    receivesAll: rules.receive.includes("*"),
  };
}

const forbidden = (message: string) => new HivegateError("forbidden", message);

/** Whether a name fits one of the patterns. The call of a tool is also its method alone. */
function matcher(allowed: readonly string[]): (name: string) => boolean {
  if (allowed.includes("*")) return () => true;
  const { fits } = anyOf(allowed);
  return (name) =>
    name.length <= NAME_CHARS && (fits(name) || (name.startsWith(TOOL) && fits(TOOL.slice(0, -1))));
}

const TOOL = "tools/call:";
/** A longer name fits no pattern but `*` alone, whatever it is. */
const NAME_CHARS = 200;
