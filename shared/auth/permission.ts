import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { HiveId } from "../protocol/ids.ts";

/** What has to do with MCP servers, all of it. A pattern behind it allows a part: see `Permission`. */
const ToolPermission = z.enum(["tools:call", "resources:read", "prompts:get"]);
export type ToolPermission = z.infer<typeof ToolPermission>;

/**
 * What a request may need. `tasks:write` includes nothing else: name each permission. `relay:read` opens the relay,
 * `relay:write` is needed for any role on it but `viewer`, `relay:admin` to change where it leads.
 * `metrics:read` is for monitoring, `audit:read` for whoever has to know who did what. `config:write` decides which MCP
 * servers there are, and so what runs on the sidecar's host: it is for administrators.
 */
export const NamedPermission = z.enum([
  ...["telemetry:read", "tasks:read", "tasks:write"],
  ...["relay:read", "relay:write", "relay:admin"],
  ...["metrics:read", "audit:read"],
  ...["config:read", "config:write"],
  ...ToolPermission.options,
] as const);
export type NamedPermission = z.infer<typeof NamedPermission>;

/**
 * What a token may allow: those, and parts of three of them, with `*` for any characters (`pattern.ts`):
 * `tools:call:claude-flow__agent_*` and `prompts:get:claude-flow__*` by the names that all servers' tools and prompts
 * have together, `resources:read:claude-flow` by server.
 */
export const Permission = z.union([
  NamedPermission,
  z.templateLiteral([ToolPermission, ":", z.string().regex(/^[^\s,]{1,200}$/)]),
]);
export type Permission = z.infer<typeof Permission>;

export const ALL_PERMISSIONS: readonly NamedPermission[] = NamedPermission.options;

const names = z.array(z.string().min(1).max(100)).max(50);

/**
 * The part of a hive that a token shows. An absent list means all; what is not in scope does not exist. A name that
 * is not known is refused: were it a misspelt list and passed over, the token would show all.
 */
export const Scope = z
  .strictObject({
    server_types: names.optional(),
    agent_types: names.optional(),
    swarm_ids: names.optional(),
  })
  .refine((scope) => JSON.stringify(scope).length <= LIMITS.filterChars, {
    message: `a scope is at most ${LIMITS.filterChars} characters in all`,
  });
export type Scope = z.infer<typeof Scope>;

/** Who a client is, as its token says. `hives` may hold `*`. `expiresMs` is milliseconds since the epoch. */
export const Identity = z.object({
  subject: z.string().min(1).max(200),
  hives: z
    .array(z.union([HiveId, z.literal("*")]))
    .min(1)
    .max(1_000),
  permissions: z.array(Permission).max(1_000),
  scope: Scope.default({}),
  /** What it may send and receive on the relay goes by this; without it by its permissions alone. */
  role: z.string().min(1).max(100).optional(),
  expiresMs: z.number().int(),
});
export type Identity = z.infer<typeof Identity>;

export const mayUseHive = (identity: Pick<Identity, "hives">, hive: string): boolean =>
  identity.hives.includes("*") || identity.hives.includes(hive);

/** Of the permissions that have parts: whether it is allowed as a whole. */
export const may = (identity: Pick<Identity, "permissions">, permission: NamedPermission): boolean =>
  identity.permissions.includes(permission);

/** The patterns by which `permission` is allowed in part; `*` where it is allowed as a whole. */
export const patternsOf = (
  { permissions }: Pick<Identity, "permissions">,
  permission: ToolPermission,
): string[] =>
  permissions.includes(permission)
    ? ["*"]
    : permissions
        .filter((each) => each.startsWith(`${permission}:`))
        .map((each) => each.slice(permission.length + 1));
