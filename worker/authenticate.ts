/** Who is asking: a bearer token in `Authorization`, or, from browsers' WebSockets, the second subprotocol. */

import { type Identity, may, mayUseHive, type NamedPermission } from "../shared/auth/permission.ts";
import type { TokenVerifier } from "../shared/auth/token.ts";
import { HivegateError } from "../shared/errors.ts";
import { SUBPROTOCOL } from "../shared/protocol/gateway.ts";

/**
 * @param needed `permission` null: what the token allows is looked at later
 * @throws HivegateError `unauthorized`, `token_expired`, `unknown_hive`, `forbidden`
 */
export async function authenticate(
  request: Request,
  needed: { hive: string; permission: NamedPermission | null },
  tokens: TokenVerifier,
  nowMs: number,
): Promise<Identity> {
  const token = tokenIn(request.headers);
  if (!token) throw new HivegateError("unauthorized");
  const identity = await tokens.verify(token, nowMs);
  if (!mayUseHive(identity, needed.hive)) throw new HivegateError("unknown_hive");
  if (needed.permission !== null && !may(identity, needed.permission)) {
    throw new HivegateError("forbidden", `The token does not allow this: it lacks ${needed.permission}.`);
  }
  return identity;
}

/** The subprotocol to answer with: ours, if the client offered it; the token is never echoed. */
export const acceptedProtocol = (headers: Headers): string | null =>
  offeredProtocols(headers)[0] === SUBPROTOCOL ? SUBPROTOCOL : null;

/** Whatever a client gives as its token. */
export const tokenIn = (headers: Headers): string | undefined =>
  bearer(headers) ?? offeredProtocols(headers)[1];

const bearer = (headers: Headers): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];

const offeredProtocols = (headers: Headers): string[] =>
  (headers.get("sec-websocket-protocol") ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.length > 0);
