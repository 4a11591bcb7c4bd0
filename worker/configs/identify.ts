/** Who asks about the configuration of MCP servers: by a token, as everywhere, or by an API key, as the older system had it. */
import type { Context } from "hono";
import { type Identity, may, mayUseHive, type NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { isWholeHive } from "../../shared/swarm/view.ts";
import { SUBJECT } from "../audit/record-requests.ts";
import { authenticate, tokenIn } from "../authenticate.ts";
import type { Gateway } from "../gateway.ts";

export const API_KEY = "x-api-key";

export type Asking = {
  hive: string;
  /** Null: what they may is looked at later, and how often. */
  permission: NamedPermission | null;
  /** The older system took keys in the address too. */
  keyInQuery: boolean;
};

/** With a permission it counts as one request of theirs. @throws HivegateError `unauthorized`, `unknown_hive`, `forbidden`, `rate_limited` … */
export async function identify(
  c: Context,
  { hive, permission, keyInQuery }: Asking,
  gateway: Pick<Gateway, "tokens" | "apiKeys" | "requests">,
  nowMs: number,
): Promise<Identity> {
  const identity = await holder(c, { hive, keyInQuery }, gateway, nowMs);
  c.set(SUBJECT, identity.subject);
  check(identity, hive, permission);
  if (permission !== null) gateway.requests.take(identity.subject, nowMs);
  return identity;
}

async function holder(
  c: Context,
  { hive, keyInQuery }: Omit<Asking, "permission">,
  { tokens, apiKeys }: Pick<Gateway, "tokens" | "apiKeys">,
  nowMs: number,
): Promise<Identity> {
  const { raw } = c.req;
  if (tokenIn(raw.headers) !== undefined) return authenticate(raw, { hive, permission: null }, tokens, nowMs);
  const key = c.req.header(API_KEY) ?? (keyInQuery ? c.req.query(API_KEY) : undefined);
  if (key !== undefined) return apiKeys.identify(key, nowMs);
  throw new HivegateError(
    "unauthorized",
    keyInQuery ? `${API_KEY} is missing in headers or query parameters` : undefined,
  );
}

function check(identity: Identity, hive: string, permission: NamedPermission | null): void {
  if (!mayUseHive(identity, hive)) throw new HivegateError("unknown_hive");
  if (permission !== null && !may(identity, permission))
    throw new HivegateError("forbidden", `This is not allowed to you: ${permission} is missing.`);
  if (!isWholeHive(identity.scope))
    throw new HivegateError(
      "forbidden",
      "MCP servers are of a whole hive, and the token shows a part of one.",
    );
}
