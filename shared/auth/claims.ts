/** What a token says, whoever signed it, and who that makes its holder. */
import type { JWTPayload } from "jose";
import { z } from "zod";
import { Identity, Permission, Scope } from "./permission.ts";

/** OAuth's: words separated by spaces. Those that are none of ours are for others. */
const ScopeWords = z.string().transform((text) =>
  text
    .split(" ")
    .map((word) => Permission.safeParse(word))
    .flatMap(({ data }) => (data === undefined ? [] : [data])),
);

const Claims = z.object({
  sub: Identity.shape.subject,
  exp: z.number().int(),
  hives: Identity.shape.hives,
  permissions: Identity.shape.permissions.default([]),
  scope: z.union([ScopeWords, Scope]).default({}),
  role: Identity.shape.role,
  /** Such a token is good only with a proof that its bearer holds a key: by itself it may have been stolen. */
  cnf: z.never().optional(),
});

/** @throws ZodError */
export function identityOf(payload: JWTPayload): Identity {
  const { sub, exp, hives, permissions, scope, role } = Claims.parse(payload);
  return {
    subject: sub,
    hives,
    permissions: Array.isArray(scope) ? [...permissions, ...scope] : permissions,
    scope: Array.isArray(scope) ? {} : scope,
    ...(role !== undefined && { role }),
    expiresMs: exp * 1000,
  };
}
