import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { HiveId } from "../protocol/ids.ts";

/**
 * What a token may allow. `tasks:write` includes nothing else: name each permission. `relay:read` opens the relay,
 * `relay:write` is needed for any role on it but `viewer`, `relay:admin` to change where it leads.
 * `metrics:read` is for monitoring, `audit:read` for whoever has to know who did what.
 */
export const Permission = z.enum([
  ...["telemetry:read", "tasks:read", "tasks:write"],
  ...["relay:read", "relay:write", "relay:admin"],
  ...["metrics:read", "audit:read"],
] as const);
export type Permission = z.infer<typeof Permission>;

export const ALL_PERMISSIONS: readonly Permission[] = Permission.options;

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
  permissions: z.array(Permission),
  scope: Scope.default({}),
  /** What it may send and receive on the relay goes by this; without it by its permissions alone. */
  role: z.string().min(1).max(100).optional(),
  expiresMs: z.number().int(),
});
export type Identity = z.infer<typeof Identity>;

export const mayUseHive = (identity: Pick<Identity, "hives">, hive: string): boolean =>
  identity.hives.includes("*") || identity.hives.includes(hive);

export const may = (identity: Pick<Identity, "permissions">, permission: Permission): boolean =>
  identity.permissions.includes(permission);
