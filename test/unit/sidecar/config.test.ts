import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../../sidecar/config.ts";

const secret = Buffer.alloc(32, 1).toString("base64");
const required = { SIDECAR_KEYS: JSON.stringify({ k1: secret }) };

const refusal = (env: Record<string, string>): string => {
  try {
    readConfig({ ...required, ...env });
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.message;
    throw thrown;
  }
  throw new Error("nothing was refused");
};

describe("readConfig", () => {
  it("H8 needs nothing but the keys, and has the documented defaults", () => {
    expect(readConfig(required)).toMatchObject({
      hive: "default",
      host: "127.0.0.1",
      port: 9_700,
      profile: "demo",
      executor: "docker",
      container: "multi-agent-container",
      allowedContainers: ["multi-agent-container"],
      cli: ["hive"],
      enable: { mcpTelemetry: true, dockerPrimary: true, mcpFallback: true, dockerFallback: true },
      commandTimeoutMs: 30_000,
      telemetryTimeoutMs: 500,
      breaker: { failureThreshold: 5, timeoutMs: 60_000, retryDelayMs: 1_000 },
      mcpServers: [{ name: "demo", profile: "demo", host: "127.0.0.1", port: 9_500 }],
      orchestratorUrls: ["ws://multi-agent-container:3002/ws"],
      healthUrl: null,
    });
  });

  it("R2 connects to orchestrators by the rules that are promised, and by others when told so", () => {
    expect(readConfig(required)).toMatchObject({
      orchestrator: {
        ...{ token: null, connectTimeoutMs: 30_000, heartbeatMs: 30_000 },
        ...{ retryBaseMs: 5_000, retryMaxMs: 300_000, retryTries: 5 },
      },
      auditContent: false,
    });
    const told = { ORCHESTRATOR_WS_URL: "ws://a/ws, wss://b", ORCHESTRATOR_RETRY_TRIES: "2" };
    const { orchestratorUrls, orchestrator } = readConfig({ ...required, ...told });
    expect([orchestratorUrls, orchestrator.retryTries]).toEqual([["ws://a/ws", "wss://b"], 2]);
  });

  it("H8 takes an empty variable for one that is not set", () => {
    expect(readConfig({ ...required, SIDECAR_PORT: "", CLAUDE_FLOW_PATH: "" }).port).toBe(9_700);
  });

  it("H8 takes several keys, so that they can be rotated", () => {
    const { keys } = readConfig({ SIDECAR_KEYS: JSON.stringify({ old: secret, new: secret }) });
    expect([...keys.keys()]).toEqual(["old", "new"]);
    expect(keys.get("new")).toHaveLength(32);
  });

  it("H8 runs the demo that comes along when commands run on this host", () => {
    const { executor, cli } = readConfig({ ...required, SWARM_EXECUTOR: "process" });
    expect(executor).toBe("process");
    expect(cli).toEqual([process.execPath, expect.stringMatching(/sidecar\/demo\/main\.ts$/)]);
  });

  it.each([
    [{ SWARM_EXECUTOR: "process", SWARM_PROFILE: "claude-flow@3" }, ["claude-flow"]],
    [{ CLAUDE_FLOW_PATH: "/opt/my flow/cli" }, ["/opt/my flow/cli"]],
  ])("H8 adds the swarm's arguments to the CLI that %o names", (env, cli) => {
    expect(readConfig({ ...required, ...env }).cli).toEqual(cli);
  });

  it("H8 S6 takes how many tasks may run at once, within what a sidecar bears", () => {
    expect(readConfig(required).maxRunningTasks).toBe(32);
    expect(readConfig({ ...required, MAX_RUNNING_TASKS: "256" }).maxRunningTasks).toBe(256);
    for (const MAX_RUNNING_TASKS of ["0", "257", "many"])
      expect(refusal({ MAX_RUNNING_TASKS })).toBe("MAX_RUNNING_TASKS: expected an integer from 1 to 256");
  });

  it("H8 takes a list of allowed containers", () => {
    const { allowedContainers } = readConfig({ ...required, ALLOWED_CONTAINERS: "one, two" });
    expect(allowedContainers).toEqual(["one", "two"]);
  });

  it("S8 passes on to commands what is named, and never the keys", () => {
    const env = { ...required, DEMO_MCP_PORT: "9", API_KEY: "k" };
    expect(readConfig(env).swarmEnv).toEqual({ DEMO_MCP_PORT: "9" });
    expect(readConfig({ ...env, SWARM_ENV: "API_KEY, OTHER" }).swarmEnv).toEqual({ API_KEY: "k" });
    for (const secret of ["SIDECAR_KEYS", "METRICS_TOKEN", "ORCHESTRATOR_TOKEN"])
      expect(refusal({ SWARM_ENV: `API_KEY,${secret}` })).toMatch(/^SWARM_ENV \(at 1\): /);
  });

  it("S3 takes MCP servers of every kind, in pools, with what a generic one needs", () => {
    const at = { type: "tcp", host: "h", port: 1 };
    const servers = [
      { ...at, name: "a", pool: "flow", profile: "claude-flow@2" },
      { ...at, name: "b", pool: "flow", profile: "claude-flow@2", token: "t" },
      { ...at, name: "c", profile: "generic", generic: { fields: { agent_id: "uid" } } },
    ];
    const { mcpServers } = readConfig({ ...required, MCP_SERVERS: JSON.stringify(servers) });
    expect(mcpServers).toEqual([
      servers[0],
      servers[1],
      { ...servers[2], generic: { tool: "agent_list", list: "agents", fields: { agent_id: "uid" } } },
    ]);
  });

  it.each([
    ["ENABLE_MCP_TELEMETRY", "mcpTelemetry"],
    ["ENABLE_DOCKER_PRIMARY", "dockerPrimary"],
    ["ENABLE_MCP_FALLBACK", "mcpFallback"],
    ["ENABLE_DOCKER_FALLBACK", "dockerFallback"],
  ] as const)("H8 %s switches one thing off, and leaves commands where they run", (variable, flag) => {
    const off = readConfig({ ...required, [variable]: "false" });
    expect(off).toEqual({
      ...readConfig(required),
      enable: { ...readConfig(required).enable, [flag]: false },
    });
  });

  it.each([
    [{ ENABLE_MCP_FALLBACK: "false" }],
    [{ ENABLE_MCP_FALLBACK: "false", ENABLE_DOCKER_FALLBACK: "false", ENABLE_MCP_TELEMETRY: "false" }],
  ])("H8 refuses flags with which nobody would start tasks: no docker first, and %o", (flags) => {
    expect(refusal({ ENABLE_DOCKER_PRIMARY: "false", ...flags })).toBe(
      "ENABLE_MCP_FALLBACK: expected true where ENABLE_DOCKER_PRIMARY is false: else nobody starts tasks",
    );
    expect(readConfig({ ...required, ...flags }).enable.dockerPrimary).toBe(true);
  });

  it.each(["[]", '[{"name":"a","profile":"generic","host":"h","port":1}]'])(
    "H8 refuses to leave tasks to servers that take none: %s",
    (MCP_SERVERS) => {
      expect(refusal({ ENABLE_DOCKER_PRIMARY: "false", MCP_SERVERS })).toMatch(
        /^MCP_SERVERS: expected a server that/,
      );
      expect(readConfig({ ...required, MCP_SERVERS }).mcpServers).toHaveLength(
        JSON.parse(MCP_SERVERS).length,
      );
    },
  );

  it.each([
    [{ SIDECAR_PORT: "80 80" }, "SIDECAR_PORT: expected an integer from 0 to 65535"],
    [{ SIDECAR_PORT: "65536" }, "SIDECAR_PORT: expected an integer from 0 to 65535"],
    [{ DOCKER_COMMAND_TIMEOUT_MS: "0" }, "DOCKER_COMMAND_TIMEOUT_MS: expected an integer from 1 to 600000"],
    [{ MCP_CIRCUIT_BREAKER_RETRY_DELAY_MS: "-1" }, "MCP_CIRCUIT_BREAKER_RETRY_DELAY_MS: expected an integer"],
    [{ ENABLE_MCP_TELEMETRY: "yes" }, "ENABLE_MCP_TELEMETRY: expected true, false, 1 or 0"],
    [{ MCP_SERVERS: '[{"name":"hivegate","host":"h","port":1}]' }, "MCP_SERVERS (at 0.name): hivegate is"],
    [{ SWARM_PROFILE: "other" }, "SWARM_PROFILE: expected one of demo, claude-flow@3"],
    [{ SWARM_EXECUTOR: "ssh" }, "SWARM_EXECUTOR: expected one of docker, process"],
    [{ HIVE_ID: "Not A Hive" }, "HIVE_ID: a hive id is a-z, 0-9 and -"],
    [{ ALLOWED_CONTAINERS: "ok,../no" }, "ALLOWED_CONTAINERS (at 1): expected a container's name"],
    [{ MCP_SERVERS: "not json" }, "MCP_SERVERS: expected JSON"],
    [{ MCP_SERVERS: '[{"name":"a","profile":"demo","host":"h","port":0}]' }, "MCP_SERVERS (at 0.port): "],
    [
      { MCP_SERVERS: '[{"name":"a","profile":"demo","host":"h","port":1,"generic":{}}]' },
      "MCP_SERVERS (at 0.generic): expected only with the profile generic",
    ],
    [{ ORCHESTRATOR_WS_URL: "http://h" }, "ORCHESTRATOR_WS_URL (at 0): expected a ws:// or wss:// address"],
    [{ ORCHESTRATOR_WS_URL: "ws://h,ws://h" }, "ORCHESTRATOR_WS_URL: expected each address once"],
    [{ ORCHESTRATOR_RETRY_TRIES: "0" }, "ORCHESTRATOR_RETRY_TRIES: expected an integer from 1"],
    [{ ORCHESTRATOR_TOKEN: "two words" }, "ORCHESTRATOR_TOKEN: expected visible ASCII characters"],
    [{ METRICS_TOKEN: "fifteen chars.." }, "METRICS_TOKEN: expected 16 characters or more"],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL: expected one of"],
    [{ SIDECAR_KEYS: "" }, "SIDECAR_KEYS: expected JSON {kid: base64 of 32 bytes or more}"],
    [{ SIDECAR_KEYS: "{}" }, "SIDECAR_KEYS: expected"],
    [{ SIDECAR_KEYS: '{"k1":"c2hvcnQ="}' }, "SIDECAR_KEYS: expected"],
  ])("H8 refuses %o in one line that names it", (env, line) => {
    expect(refusal(env)).toContain(line);
    expect(refusal(env)).not.toContain("\n");
  });

  it("S8 never repeats a key that it refuses", () => {
    const almost = Buffer.alloc(31, 1).toString("base64");
    expect(refusal({ SIDECAR_KEYS: JSON.stringify({ k1: almost }) })).not.toContain(almost);
    expect(refusal({ SIDECAR_KEYS: almost })).not.toContain(almost);
    expect(refusal({ SIDECAR_KEYS: JSON.stringify({ [secret]: "k1" }) })).not.toContain(secret);
  });
});
