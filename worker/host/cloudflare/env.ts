import { ConfigError, readConfig } from "../../config.ts";
import { Gateway } from "../../gateway.ts";
import type { HiveObject } from "./hive-object.ts";
import type { ShardObject } from "./shard-object.ts";

export interface Env {
  HIVE: DurableObjectNamespace<HiveObject>;
  SHARD: DurableObjectNamespace<ShardObject>;
  HIVES: string;
  SIDECAR_KEYS: string;
  JWT_SECRET: string;
  API_KEYS?: string;
  JWT_JWKS_URL?: string;
  JWT_JWKS?: string;
  JWT_ISSUER?: string;
  JWT_AUDIENCE?: string;
  JWT_ALGORITHMS?: string;
  RELAY_ROLES?: string;
  RELAY_REDACT?: string;
  RELAY_MESSAGES_PER_SECOND?: string;
  AUDIT_ARGUMENTS?: string;
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  OTEL_EXPORTER_OTLP_HEADERS?: string;
  OTEL_TRACES_SAMPLER_ARG?: string;
  MCP_RULES?: string;
  MCP_REQUESTS_PER_SECOND?: string;
  MCP_ALLOWED_ORIGINS?: string;
  MCP_ALLOWED_HOSTS?: string;
  MCP_AUTHORIZATION_SERVERS?: string;
  PUBLIC_URL?: string;
}

const gateways = new WeakMap<object, Gateway>();

/** The gateway for this environment, made once: keys are imported and tokens remembered per isolate. */
export function gatewayOf(env: Env): Gateway {
  const known = gateways.get(env);
  if (known) return known;
  try {
    const gateway = new Gateway(readConfig(env), (hive, batch) =>
      env.HIVE.get(env.HIVE.idFromName(hive)).record(hive, batch),
    );
    gateways.set(env, gateway);
    return gateway;
  } catch (error) {
    if (error instanceof ConfigError) console.error(`hivegate: bad configuration: ${error.message}`);
    throw error;
  }
}
