import { describe, expect, it, onTestFinished } from "vitest";
import { BREAKER_RULES, type BreakerState } from "../../../shared/pressure/breaker.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";
import { McpServers } from "../../../sidecar/mcp/servers.ts";
import { mcpServer, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const config = (name: string, port = 9500) => ({ name, profile: "demo", host: "127.0.0.1", port });

/** What keeps the breakers' states, as a map. */
function memory() {
  const states = new Map<string, BreakerState>();
  return {
    load: (name: string) => states.get(name) ?? null,
    save: (name: string, state: BreakerState) => void states.set(name, state),
    forget: (name: string) => void states.delete(name),
    states,
  };
}

function start(configs: readonly object[], breakers = memory()) {
  const servers = new McpServers(McpServerConfigs.parse(configs), {
    callTimeoutMs: 2_000,
    rules: { ...BREAKER_RULES, failuresInARow: 1 },
    breakers,
    log: recordingLog().log,
    now: Date.now,
    random: () => 0,
  });
  onTestFinished(() => servers.close());
  return servers;
}

describe("the MCP servers", () => {
  it("H9 any number of users share one connection per server", async () => {
    const server = await startLineServer(mcpServer({ echo: (args, reply) => reply(args) }));
    const servers = start([config("a", server.port), config("b", server.port)]);
    const users = Array.from({ length: 20 }, (_, n) =>
      servers.get(n % 2 ? "a" : "b")?.connection.call("echo", {}),
    );
    await Promise.all(users);
    expect(server.accepted()).toBe(2);
    expect(servers.primary()?.name).toBe("a");
    expect(servers.all().map(({ name }) => name)).toEqual(["a", "b"]);
    expect(servers.get("c")).toBeNull();
    servers.close();
    for (const { connection } of servers.all())
      await expect(connection.ping()).rejects.toMatchObject({ code: "shutting_down" });
  });

  it("S3 servers of one pool are asked about tasks by turns, and one that fails not at all", async () => {
    const alive = await startLineServer(mcpServer({}));
    const dead = await startLineServer(mcpServer({}));
    await dead.close();
    const inPool = (name: string, port: number) => ({ ...config(name, port), pool: "p" });
    const servers = start([
      inPool("a", alive.port),
      inPool("b", alive.port),
      inPool("c", dead.port),
      config("other", alive.port),
    ]);
    expect(servers.pools().map((members) => members.map(({ name }) => name))).toEqual([
      ["a", "b", "c"],
      ["other"],
    ]);
    const asked = () => Array.from({ length: 6 }, () => servers.primary()?.name);
    expect(asked()).toEqual(["a", "b", "c", "a", "b", "c"]);
    await servers
      .get("c")
      ?.connection.ping()
      .catch(() => {});
    expect(asked()).toEqual(["a", "b", "a", "b", "a", "b"]);
  });

  it("S3 without a server there is nobody to ask", () => {
    expect(start([]).primary()).toBeNull();
  });

  it("S4 a circuit survives a restart, but not the server's move to another address", async () => {
    const dead = await startLineServer(mcpServer({}));
    await dead.close();
    const breakers = memory();
    const circuit = (port: number) => start([config("a", port)], breakers).get("a")?.connection.circuit.state;
    await start([config("a", dead.port)], breakers)
      .get("a")
      ?.connection.ping()
      .catch(() => {});
    expect(circuit(dead.port)).toBe("open");
    expect(circuit(dead.port === 65_535 ? 65_534 : dead.port + 1)).toBe("closed");
  });

  it.each([
    ["of which one has another profile", [config("a"), { ...config("b"), pool: "a", profile: "ruv-swarm" }]],
    ["with settings of the generic profile for another one", [{ ...config("a"), generic: {} }]],
    [
      "with a field that no agent has",
      [{ ...config("a"), profile: "generic", generic: { fields: { speed: "v" } } }],
    ],
  ])("H8 refuses a list %s", (_what, configs) => {
    expect(McpServerConfigs.safeParse(configs).success).toBe(false);
  });

  it("H9 two servers of one name are refused: it would be two connections under one name", () => {
    expect(McpServerConfigs.safeParse([config("a"), config("a")]).success).toBe(false);
  });

  it.each([
    { ...config("a"), port: 0 },
    { ...config("a"), port: 70_000 },
    { ...config("A server") },
    { ...config("a"), profile: "other" },
    { ...config("a"), token: "" },
  ])("H8 the configuration %j is refused", (bad) => {
    expect(McpServerConfigs.safeParse([bad]).success).toBe(false);
  });
});
