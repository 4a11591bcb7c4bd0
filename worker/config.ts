/** The gateway's settings, from its environment (`wrangler.toml` and secrets). See docs/CONFIG.md. */
import { z } from "zod";
import { HiveId } from "../shared/protocol/ids.ts";
import { type TraceSettings, TraceVariables, traceSettings } from "../shared/trace/settings.ts";
import { type ApiKeyHolder, ApiKeyVariables } from "./configs/api-keys.ts";
import { jsonText } from "./json-text.ts";
import { type McpSettings, McpVariables, mcpSettings } from "./mcp/settings.ts";
import { DEFAULT_ROLES, Roles } from "./relay/roles.ts";
import { DEFAULT_RELAY, Redact, type RelaySettings } from "./relay/settings.ts";
import { type IssuerSettings, issuerSettings, JwtVariables } from "./trusted-issuer.ts";

const secret = z.string().transform((text, context) => {
  const bytes = fromBase64(text);
  if (bytes && bytes.length >= 32) return bytes;
  context.addIssue({ code: "custom", message: "has to be at least 32 bytes in base64" });
  return z.NEVER;
});

const Environment = z.object({
  /** Which hives there are, where each one's sidecar is, and which key signs requests to it. */
  HIVES: jsonText.pipe(
    z
      .record(
        HiveId,
        z.object({
          url: z
            .url({ protocol: /^https?$/ })
            .refine(
              (url) => new URL(url).pathname === "/",
              "has a path: name only the sidecar's host and port",
            ),
          kid: z.string().regex(/^[\w.-]{1,64}$/),
        }),
      )
      .refine((hives) => Object.keys(hives).length > 0, "names no hive"),
  ),
  /** Secret: `{kid: base64}`, at least 32 bytes each. */
  SIDECAR_KEYS: jsonText.pipe(z.record(z.string(), secret)),
  /** Secret: what client tokens are signed with; base64, at least 32 bytes. */
  JWT_SECRET: secret,
  ...ApiKeyVariables,
  /** Roles on the relay, beside the built-in ones or in place of them: JSON `{role: {send, receive, dedicated}}`. */
  RELAY_ROLES: jsonText.pipe(Roles).default({}),
  RELAY_REDACT: Redact.default(DEFAULT_RELAY.redact),
  RELAY_MESSAGES_PER_SECOND: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(DEFAULT_RELAY.messagesPerSecond),
  ...JwtVariables,
  ...McpVariables,
  /** Whether the audit log keeps the arguments of calls, without the secrets that can be told. */
  AUDIT_ARGUMENTS: z.enum(["true", "false"]).default("false"),
  ...TraceVariables,
});

/** Names of the variables that `readConfig` reads. */
export const GATEWAY_VARIABLES: readonly string[] = Object.keys(Environment.shape);

export type HiveConfig = { hive: HiveId; url: string; kid: string; key: Uint8Array<ArrayBuffer> };
export type GatewayConfig = {
  hives: ReadonlyMap<HiveId, HiveConfig>;
  jwtSecret: Uint8Array<ArrayBuffer>;
  /** Whose keys open `/api/v1/mcp`. */
  apiKeys: readonly ApiKeyHolder[];
  /** Who else signs tokens; null: nobody. */
  issuer: IssuerSettings | null;
  relay: RelaySettings;
  mcp: McpSettings;
  auditArguments: boolean;
  traces: TraceSettings;
};

/** @throws ConfigError with one line that names the variable, never its value */
export function readConfig(environment: unknown): GatewayConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${issue?.path.join(".") ?? "environment"}: ${issue?.message ?? "is wrong"}`);
  }
  const { HIVES, SIDECAR_KEYS, JWT_SECRET } = parsed.data;
  const hives = new Map<HiveId, HiveConfig>();
  for (const [hive, { url, kid }] of Object.entries(HIVES)) {
    const key = SIDECAR_KEYS[kid];
    if (!key) throw new ConfigError(`SIDECAR_KEYS: holds no key "${kid}", which hive "${hive}" uses`);
    hives.set(hive, { hive, url, kid, key });
  }
  const relay: RelaySettings = {
    roles: { ...DEFAULT_ROLES, ...parsed.data.RELAY_ROLES },
    redact: parsed.data.RELAY_REDACT,
    messagesPerSecond: parsed.data.RELAY_MESSAGES_PER_SECOND,
  };
  const issuer = issuerSettings(parsed.data);
  if (issuer && "wrong" in issuer) throw new ConfigError(issuer.wrong);
  return {
    hives,
    issuer,
    jwtSecret: JWT_SECRET,
    apiKeys: parsed.data.API_KEYS,
    relay,
    mcp: mcpSettings(parsed.data),
    auditArguments: parsed.data.AUDIT_ARGUMENTS === "true",
    traces: traceSettings(parsed.data),
  };
}

export class ConfigError extends Error {}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
