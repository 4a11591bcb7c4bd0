import { z } from "zod";
import { HiveId } from "../protocol/ids.ts";

/** What a token may allow. `tasks:write` includes nothing else: name each permission. */
export const Permission = z.enum(["telemetry:read", "tasks:read", "tasks:write"]);
export type Permission = z.infer<typeof Permission>;

export const ALL_PERMISSIONS: readonly Permission[] = Permission.options;

/** Who a client is, as its token says. `hives` may hold `*`. `expiresMs` is milliseconds since the epoch. */
export const Identity = z.object({
  subject: z.string().min(1).max(200),
  hives: z
    .array(z.union([HiveId, z.literal("*")]))
    .min(1)
    .max(1_000),
  permissions: z.array(Permission),
  expiresMs: z.number().int(),
});
export type Identity = z.infer<typeof Identity>;

export const mayUseHive = (identity: Identity, hive: string): boolean =>
  identity.hives.includes("*") || identity.hives.includes(hive);

export const may = (identity: Pick<Identity, "permissions">, permission: Permission): boolean =>
  identity.permissions.includes(permission);
