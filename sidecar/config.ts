/**
 * The sidecar's configuration, all of it from environment variables. A variable that is empty counts as not
 * set. The docstrings of `Config` are the reference.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LIMITS } from "../shared/limits.ts";
import { HiveId } from "../shared/protocol/ids.ts";
import { OrchestratorsChange } from "../shared/relay/orchestrators.ts";
import { type TraceSettings, TraceVariables, traceSettings } from "../shared/trace/settings.ts";
import { containerName, flag, integer, json, keys, listOf, oneOf, passedOn } from "./config-variables.ts";
import { type McpServerConfig, McpServerConfigs, serverNameOf } from "./mcp/server-config.ts";
import type { OrchestratorRules } from "./relay/orchestrator.ts";
import { ORCHESTRATORS } from "./swarm/fallback/orchestrators.ts";
import type { HybridFlags } from "./swarm/fallback/runner-chain.ts";
import { readCustomProfile } from "./swarm/profiles/custom-file.ts";
import { PROFILE_NAMES, type ProfileChoice, type ProfileName } from "./swarm/profiles/index.ts";

/** What SWARM_PROFILE may be. */
const SWARM_PROFILES = [...PROFILE_NAMES, "custom"] as const;
export const SwarmProfileName = z.enum(SWARM_PROFILES);

export type Config = {
  /** HIVE_ID (`default`): the one hive that this sidecar serves. */
  hive: string;
  /** SIDECAR_HOST (`127.0.0.1`). */
  host: string;
  /** SIDECAR_PORT (9700); 0 lets the system choose. */
  port: number;
  /** SIDECAR_KEYS (required): JSON `{kid: base64 of 32 bytes or more}`. Several, while keys are rotated. */
  keys: ReadonlyMap<string, Uint8Array>;
  /** SIDECAR_STATE_DIR (`.hivegate/sidecar`): the ledger and the output of running processes. */
  stateDir: string;
  /**
   * SWARM_PROFILE (`demo`): which kind of swarm it is. `custom`: the one that the JSON file SWARM_PROFILE_FILE
   * describes.
   */
  profile: ProfileChoice;
  /** SWARM_EXECUTOR (`docker`): `docker` runs commands in the container, `process` on this host. */
  executor: "docker" | "process";
  /** MULTI_AGENT_CONTAINER_NAME (`multi-agent-container`). */
  container: string;
  /** ALLOWED_CONTAINERS (comma separated; that one name): commands run in no other. */
  allowedContainers: string[];
  /** SWARM_WORKDIR: where the swarm's commands run; null leaves it to the container, or to this process. */
  workdir: string | null;
  /**
   * SWARM_ENV (comma separated names; `DEMO_HOST,DEMO_MCP_PORT,DEMO_TOKEN`): the variables that are passed on
   * to commands on this host, beside PATH, HOME, LANG and TZ. In a container they have the container's own.
   */
  swarmEnv: Record<string, string>;
  /** DOCKER_SOCKET (`/var/run/docker.sock`). */
  dockerSocket: string;
  /**
   * CLAUDE_FLOW_PATH: the swarm's CLI, to which arguments are added. When it is not set: `claude-flow`; for
   * the demo swarm `hive` in a container, and on this host the demo that comes with Hivegate; for a session script
   * the one in VisionFlow's containers; for a custom swarm what its file says.
   */
  cli: string[];
  /**
   * ENABLE_MCP_TELEMETRY (true): false asks the MCP servers for nothing. ENABLE_DOCKER_PRIMARY (true): who does tasks is
   * first the swarm's commands, or, false, an MCP server. ENABLE_MCP_FALLBACK, ENABLE_DOCKER_FALLBACK (true): whether
   * the one may stand in for the other.
   */
  enable: { mcpTelemetry: boolean } & HybridFlags;
  /** DOCKER_COMMAND_TIMEOUT_MS (30000): a short command of the swarm is ended after this. */
  commandTimeoutMs: number;
  /** MAX_RUNNING_TASKS (32): above that many at once a task is queued. */
  maxRunningTasks: number;
  /** MCP_TELEMETRY_TIMEOUT_MS (500): how long an answer waits for what MCP adds to it. */
  telemetryTimeoutMs: number;
  /**
   * The circuit breaker of each MCP server. MCP_CIRCUIT_BREAKER_FAILURE_THRESHOLD (5): so many failures in a
   * row open it. MCP_CIRCUIT_BREAKER_RETRY_DELAY_MS (1000): for how long at first, doubling up to
   * MCP_CIRCUIT_BREAKER_TIMEOUT_MS (60000).
   */
  breaker: { failureThreshold: number; timeoutMs: number; retryDelayMs: number };
  /**
   * MCP_SERVERS (one of SWARM_PROFILE's kind on 127.0.0.1:9500; for a custom swarm none): JSON list of
   * `McpServerConfig`.
   */
  mcpServers: z.infer<typeof McpServerConfigs>;
  /**
   * MCP_CONFIG_FILE (`.mcp.json` in the working directory, if it is there and MCP_SERVERS is not set): the file that says
   * which MCP servers there are, beside those of MCP_SERVERS. It is watched. Null: there is none.
   */
  mcpConfigFile: string | null;
  /** Which of the two `mcpServers` is: what MCP_SERVERS says, or what a swarm of this kind brings along. */
  mcpServersFrom: "environment" | "default";
  mcpApi: {
    /**
     * MCP_API_COMMANDS (comma separated; none): the commands that MCP servers may be started by which are configured through
     * the API. `*`: any, which lets whoever holds `config:write` run anything as the sidecar's user.
     */
    commands: string[];
    /**
     * MCP_API_VARIABLES (comma separated; none): the variables that `${NAME}` may stand for in what the API is given, and those
     * that it may set for a command, which with another environment may be another program.
     */
    variables: string[];
    /**
     * MCP_API_HOSTS (comma separated; `*`): the hosts, by name or address, that servers which are configured through the API may
     * be at; `*` stands for anything.
     */
    hosts: string[];
  };
  migration: MigrationConfig;
  /** ALERT_WEBHOOK_URL: alerts are POSTed to it, as JSON; null: they are logged and counted only. */
  alertWebhookUrl: string | null;
  /** ORCHESTRATOR_WS_URL (`ws://multi-agent-container:3002/ws`; several, comma separated): where the relay goes. */
  orchestratorUrls: string[];
  /**
   * ORCHESTRATOR_TOKEN, if it wants one; ORCHESTRATOR_CONNECT_TIMEOUT_MS (30000); ORCHESTRATOR_HEARTBEAT_MS (30000):
   * how often it is pinged; ORCHESTRATOR_RETRY_BASE_MS (5000), doubling up to ORCHESTRATOR_RETRY_MAX_MS (300000): how
   * long to wait between tries; ORCHESTRATOR_RETRY_TRIES (5): so many failures in a row open its circuit.
   */
  orchestrator: OrchestratorRules;
  /** RELAY_AUDIT_CONTENT (false): write what relayed messages say into the audit as well. */
  auditContent: boolean;
  /** MCP_HEALTH_URL: an HTTP health endpoint to check, if there is one. */
  healthUrl: string | null;
  /** METRICS_TOKEN: who asks for `/metrics` has to send it; null: only this host may ask. */
  metricsToken: string | null;
  /**
   * OTEL_EXPORTER_OTLP_ENDPOINT: the collector that spans go to; without it none are made. OTEL_EXPORTER_OTLP_HEADERS:
   * what it wants to be sent along. OTEL_TRACES_SAMPLER_ARG (1): which share of the traces that begin here is kept.
   */
  traces: TraceSettings;
  /** LOG_LEVEL (`info`). */
  logLevel: string;
};

/** What steers the change from the older configuration system; it ends with MCP_OLD_DATABASE being taken away. */
export type MigrationConfig = {
  /** MCP_OLD_DATABASE: the older system's database, a SQLite file or `postgres://…`; null: there is no older system. */
  oldDatabase: string | null;
  /** MCP_USE_NEW_SYSTEM (true): false reads and writes the older one alone, whatever the mode. */
  useNewSystem: boolean;
  /** MCP_MIGRATION_MODE (`safe`): `safe` writes both and reads the older, `full` writes both and reads the newer, `rollback` goes back. */
  mode: "safe" | "full" | "rollback";
  /** MCP_BACKUP_VALIDATION (true): a backup is read back and compared before anything changes. */
  validateBackup: boolean;
  /** MCP_ENABLE_AUTO_ROLLBACK (true): a difference, or an operation more than 20 % slower, goes back by itself. */
  autoRollback: boolean;
};

/** A variable that cannot be used: one line that names it and says what it should be, never what it was. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConfigError";
  }
}

/** What a migration goes by: it needs nothing else to be set. @throws ConfigError */
export function readMigrationConfig(
  env: Record<string, string | undefined>,
): MigrationConfig & Pick<Config, "hive" | "stateDir" | "alertWebhookUrl"> {
  const parsed = MigrationVariables.safeParse(setOnly(env));
  if (!parsed.success) throw new ConfigError(describe(parsed.error));
  const { HIVE_ID, SIDECAR_STATE_DIR, ALERT_WEBHOOK_URL, ...v } = parsed.data;
  return {
    ...migrationOf(v),
    ...{ hive: HIVE_ID, stateDir: SIDECAR_STATE_DIR, alertWebhookUrl: ALERT_WEBHOOK_URL ?? null },
  };
}

const migrationOf = (
  v: Omit<z.infer<typeof MigrationVariables>, "HIVE_ID" | "SIDECAR_STATE_DIR" | "ALERT_WEBHOOK_URL">,
): MigrationConfig => ({
  oldDatabase: v.MCP_OLD_DATABASE ?? null,
  useNewSystem: v.MCP_USE_NEW_SYSTEM,
  mode: v.MCP_MIGRATION_MODE,
  validateBackup: v.MCP_BACKUP_VALIDATION,
  autoRollback: v.MCP_ENABLE_AUTO_ROLLBACK,
});

const setOnly = (env: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value ? [[name, value]] : [])));

/** @throws ConfigError */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = setOnly(env);
  const parsed = Consistent.safeParse(given);
  if (!parsed.success) throw new ConfigError(describe(parsed.error));
  const v = parsed.data;
  const profile = profileChoice(v.SWARM_PROFILE, v.SWARM_PROFILE_FILE);
  return {
    hive: v.HIVE_ID,
    host: v.SIDECAR_HOST,
    port: v.SIDECAR_PORT,
    keys: v.SIDECAR_KEYS,
    stateDir: v.SIDECAR_STATE_DIR,
    profile,
    executor: v.SWARM_EXECUTOR,
    container: v.MULTI_AGENT_CONTAINER_NAME,
    allowedContainers: v.ALLOWED_CONTAINERS ?? [v.MULTI_AGENT_CONTAINER_NAME],
    workdir: v.SWARM_WORKDIR ?? null,
    swarmEnv: pick(given, v.SWARM_ENV),
    dockerSocket: v.DOCKER_SOCKET,
    cli: v.CLAUDE_FLOW_PATH ? [v.CLAUDE_FLOW_PATH] : defaultCli(profile, v.SWARM_EXECUTOR),
    enable: {
      mcpTelemetry: v.ENABLE_MCP_TELEMETRY,
      dockerPrimary: v.ENABLE_DOCKER_PRIMARY,
      mcpFallback: v.ENABLE_MCP_FALLBACK,
      dockerFallback: v.ENABLE_DOCKER_FALLBACK,
    },
    commandTimeoutMs: v.DOCKER_COMMAND_TIMEOUT_MS,
    maxRunningTasks: v.MAX_RUNNING_TASKS,
    telemetryTimeoutMs: v.MCP_TELEMETRY_TIMEOUT_MS,
    breaker: {
      failureThreshold: v.MCP_CIRCUIT_BREAKER_FAILURE_THRESHOLD,
      timeoutMs: v.MCP_CIRCUIT_BREAKER_TIMEOUT_MS,
      retryDelayMs: v.MCP_CIRCUIT_BREAKER_RETRY_DELAY_MS,
    },
    mcpServers: v.MCP_SERVERS ?? defaultMcpServers(v.SWARM_PROFILE),
    mcpServersFrom: v.MCP_SERVERS ? "environment" : "default",
    mcpConfigFile:
      v.MCP_CONFIG_FILE ?? (v.MCP_SERVERS || !existsSync(MCP_CONFIG_FILE) ? null : MCP_CONFIG_FILE),
    mcpApi: { commands: v.MCP_API_COMMANDS, variables: v.MCP_API_VARIABLES, hosts: v.MCP_API_HOSTS },
    migration: migrationOf(v),
    alertWebhookUrl: v.ALERT_WEBHOOK_URL ?? null,
    orchestratorUrls: v.ORCHESTRATOR_WS_URL,
    orchestrator: {
      token: v.ORCHESTRATOR_TOKEN ?? null,
      connectTimeoutMs: v.ORCHESTRATOR_CONNECT_TIMEOUT_MS,
      heartbeatMs: v.ORCHESTRATOR_HEARTBEAT_MS,
      retryBaseMs: v.ORCHESTRATOR_RETRY_BASE_MS,
      retryMaxMs: v.ORCHESTRATOR_RETRY_MAX_MS,
      retryTries: v.ORCHESTRATOR_RETRY_TRIES,
    },
    auditContent: v.RELAY_AUDIT_CONTENT,
    healthUrl: v.MCP_HEALTH_URL ?? null,
    metricsToken: v.METRICS_TOKEN ?? null,
    traces: traceSettings(v),
    logLevel: v.LOG_LEVEL,
  };
}

const MINUTE_MS = 60_000;
/** Where the ecosystem's tools have it. */
const MCP_CONFIG_FILE = ".mcp.json";

const Variables = z.object({
  HIVE_ID: HiveId.default("default"),
  SIDECAR_HOST: z.string().default("127.0.0.1"),
  SIDECAR_PORT: integer(0, 65_535).default(9_700),
  SIDECAR_KEYS: keys,
  SIDECAR_STATE_DIR: z.string().default(".hivegate/sidecar"),
  SWARM_PROFILE: oneOf(...SWARM_PROFILES).default("demo"),
  SWARM_PROFILE_FILE: z.string().optional(),
  SWARM_EXECUTOR: oneOf("docker", "process").default("docker"),
  MULTI_AGENT_CONTAINER_NAME: containerName.default("multi-agent-container"),
  ALLOWED_CONTAINERS: listOf(containerName).optional(),
  SWARM_WORKDIR: z.string().startsWith("/", "expected an absolute path").optional(),
  SWARM_ENV: listOf(passedOn).default(["DEMO_HOST", "DEMO_MCP_PORT", "DEMO_TOKEN"]),
  DOCKER_SOCKET: z.string().default("/var/run/docker.sock"),
  CLAUDE_FLOW_PATH: z.string().optional(),
  ENABLE_DOCKER_PRIMARY: flag.default(true),
  ENABLE_MCP_TELEMETRY: flag.default(true),
  ENABLE_MCP_FALLBACK: flag.default(true),
  ENABLE_DOCKER_FALLBACK: flag.default(true),
  DOCKER_COMMAND_TIMEOUT_MS: integer(1, 10 * MINUTE_MS).default(30_000),
  MAX_RUNNING_TASKS: integer(1, LIMITS.runningTasks).default(32),
  MCP_TELEMETRY_TIMEOUT_MS: integer(1, 30_000).default(500),
  MCP_CIRCUIT_BREAKER_FAILURE_THRESHOLD: integer(1, 1_000).default(5),
  MCP_CIRCUIT_BREAKER_TIMEOUT_MS: integer(1, 60 * MINUTE_MS).default(60_000),
  MCP_CIRCUIT_BREAKER_RETRY_DELAY_MS: integer(1, 10 * MINUTE_MS).default(1_000),
  MCP_SERVERS: json.pipe(McpServerConfigs).optional(),
  MCP_CONFIG_FILE: z.string().optional(),
  MCP_API_COMMANDS: listOf(z.string().min(1)).default([]),
  MCP_API_VARIABLES: listOf(passedOn).default([]),
  MCP_API_HOSTS: listOf(z.string().regex(/^[\w.:*-]+$/, "expected names or addresses of hosts")).default([
    "*",
  ]),
  MCP_OLD_DATABASE: z.string().optional(),
  MCP_USE_NEW_SYSTEM: flag.default(true),
  MCP_MIGRATION_MODE: oneOf("safe", "full", "rollback").default("safe"),
  MCP_BACKUP_VALIDATION: flag.default(true),
  MCP_ENABLE_AUTO_ROLLBACK: flag.default(true),
  ALERT_WEBHOOK_URL: z
    .url({ protocol: /^https?$/, error: "expected an http:// or https:// address" })
    .optional(),
  ORCHESTRATOR_WS_URL: listOf(z.string())
    .pipe(OrchestratorsChange.shape.urls)
    .default(["ws://multi-agent-container:3002/ws"]),
  ORCHESTRATOR_TOKEN: z
    .string()
    .regex(/^[!-~]+$/, "expected visible ASCII characters")
    .optional(),
  ORCHESTRATOR_CONNECT_TIMEOUT_MS: integer(1, 10 * MINUTE_MS).default(30_000),
  ORCHESTRATOR_HEARTBEAT_MS: integer(1, 10 * MINUTE_MS).default(30_000),
  ORCHESTRATOR_RETRY_BASE_MS: integer(1, 10 * MINUTE_MS).default(5_000),
  ORCHESTRATOR_RETRY_MAX_MS: integer(1, 60 * MINUTE_MS).default(300_000),
  ORCHESTRATOR_RETRY_TRIES: integer(1, 1_000).default(5),
  RELAY_AUDIT_CONTENT: flag.default(false),
  MCP_HEALTH_URL: z
    .url({ protocol: /^https?$/, error: "expected an http:// or https:// address" })
    .optional(),
  METRICS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, "expected 16 characters or more, without spaces")
    .optional(),
  ...TraceVariables,
  LOG_LEVEL: oneOf("debug", "info", "warn", "error", "silent").default("info"),
});

const MigrationVariables = Variables.pick({
  HIVE_ID: true,
  SIDECAR_STATE_DIR: true,
  MCP_OLD_DATABASE: true,
  MCP_USE_NEW_SYSTEM: true,
  MCP_MIGRATION_MODE: true,
  MCP_BACKUP_VALIDATION: true,
  MCP_ENABLE_AUTO_ROLLBACK: true,
  ALERT_WEBHOOK_URL: true,
});

/** What each variable alone cannot be wrong in. */
const Consistent = Variables.refine((v) => v.ENABLE_DOCKER_PRIMARY || v.ENABLE_MCP_FALLBACK, {
  path: ["ENABLE_MCP_FALLBACK"],
  message: "expected true where ENABLE_DOCKER_PRIMARY is false: else nobody starts tasks",
}).refine(
  (v) =>
    v.ENABLE_DOCKER_PRIMARY ||
    v.MCP_CONFIG_FILE !== undefined ||
    (v.MCP_SERVERS ?? defaultMcpServers(v.SWARM_PROFILE)).some(takesTasks),
  {
    path: ["MCP_SERVERS"],
    message:
      "expected a server that takes tasks, which a generic one does not, where ENABLE_DOCKER_PRIMARY is false",
  },
);

const takesTasks = ({ profile }: McpServerConfig): boolean =>
  profile !== undefined && ORCHESTRATORS[profile] !== null;

function profileChoice(name: ProfileName | "custom", file: string | undefined): ProfileChoice {
  if (name !== "custom") {
    if (file === undefined) return name;
    throw new ConfigError("SWARM_PROFILE_FILE: expected only with SWARM_PROFILE=custom");
  }
  if (file === undefined) throw new ConfigError("SWARM_PROFILE_FILE: expected a JSON file's path");
  try {
    return readCustomProfile(file);
  } catch (thrown) {
    throw new ConfigError(
      `SWARM_PROFILE_FILE: ${thrown instanceof Error ? thrown.message : "cannot be read"}`,
    );
  }
}

function defaultCli(profile: ProfileChoice, executor: Config["executor"]): string[] {
  if (typeof profile === "object") return profile.cli;
  if (profile === "session-script") return ["/app/scripts/hive-session-manager.sh"];
  if (profile !== "demo") return ["claude-flow"];
  return executor === "docker"
    ? ["hive"]
    : [process.execPath, fileURLToPath(new URL("demo/main.ts", import.meta.url))];
}

/** The MCP server that a swarm of this kind brings along, as far as that is known. */
export function defaultMcpServers(
  profile: z.infer<typeof SwarmProfileName>,
  place = { host: "127.0.0.1", port: 9_500 },
): Config["mcpServers"] {
  if (profile === "custom") return [];
  const kind = profile === "session-script" ? "claude-flow@2" : profile;
  return [{ type: "tcp", name: serverNameOf(kind), profile: kind, ...place }];
}

const pick = (env: Record<string, string>, names: string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));

/** The first thing wrong, in one line. Nothing of the value is in it: it may be a secret. */
function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  const [variable, ...inside] = issue?.path ?? [];
  // What a key is called could be the key itself, by mistake.
  if (variable === "SIDECAR_KEYS") return "SIDECAR_KEYS: expected JSON {kid: base64 of 32 bytes or more}";
  const where = inside.length > 0 ? ` (at ${inside.join(".")})` : "";
  return `${String(variable)}${where}: ${issue?.message}`;
}
