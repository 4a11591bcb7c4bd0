/** Who else may sign tokens for this gateway, as its settings say: see docs/CONFIG.md. */
import { z } from "zod";
import { Jwks, type JwksPorts, PublishedKeys } from "../shared/auth/jwks.ts";
import type { TrustedIssuer } from "../shared/auth/token.ts";
import { LIMITS } from "../shared/limits.ts";
import { jsonText } from "./json-text.ts";
import { commaList } from "./mcp/settings.ts";

const Algorithm = z.enum([
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
] as const);

/** Whoever can change what comes over the way can sign tokens. */
const isSafe = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
};

export const JwtVariables = {
  JWT_JWKS_URL: z
    .url({ protocol: /^https?$/ })
    .refine(isSafe, "has to be https")
    .optional(),
  JWT_JWKS: jsonText
    .pipe(Jwks)
    .refine(({ keys }) => keys.length > 0, "holds no public key")
    .optional(),
  /** It is part of subjects, which have 200 characters. */
  JWT_ISSUER: z.string().min(1).max(150).optional(),
  JWT_AUDIENCE: commaList(z.string().min(1).max(500)).optional(),
  JWT_ALGORITHMS: commaList(z.string()).pipe(z.array(Algorithm)).default(["RS256", "ES256", "EdDSA"]),
};

const Variables = z.object(JwtVariables);

export type IssuerSettings = Omit<TrustedIssuer, "keys"> & { keys: { url: string } | z.infer<typeof Jwks> };

/** What is missing, with the name of the variable; else the settings, or null: nobody but us signs tokens. */
export function issuerSettings(
  variables: z.infer<typeof Variables>,
): IssuerSettings | null | { wrong: string } {
  const { JWT_JWKS_URL: url, JWT_JWKS: jwks, JWT_ISSUER: issuer, JWT_AUDIENCE: audiences } = variables;
  if (url !== undefined && jwks !== undefined) return { wrong: "JWT_JWKS: set either this or JWT_JWKS_URL" };
  const keys = url === undefined ? jwks : { url };
  if (keys === undefined) return null;
  if (issuer === undefined) return { wrong: "JWT_ISSUER: has to be set where keys are published" };
  if (audiences === undefined) return { wrong: "JWT_AUDIENCE: has to be set where keys are published" };
  return { issuer, audiences, algorithms: variables.JWT_ALGORITHMS, keys };
}

export const trustedIssuer = ({ keys, ...issuer }: IssuerSettings, now: () => number): TrustedIssuer => ({
  ...issuer,
  keys: new PublishedKeys({ fetch: "url" in keys ? fetchedFrom(keys.url) : async () => keys, now }),
});

const fetchedFrom =
  (url: string): JwksPorts["fetch"] =>
  async () => {
    const response = await fetch(url, {
      headers: { accept: "application/jwk-set+json, application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(LIMITS.jwksTimeoutMs),
    });
    if (response.status !== 200) throw new Error(`the keys' address answers ${response.status}`);
    return response.json();
  };
