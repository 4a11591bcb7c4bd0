import { describe, expect, it } from "vitest";
import { McpServerConfigs, McpServers } from "../../../sidecar/mcp/servers.ts";
import { mcpServer, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

const config = (name: string, port = 9500) => ({ name, profile: "demo", host: "127.0.0.1", port });

describe("the MCP servers", () => {
  it("H9 any number of users share one connection per server", async () => {
    const server = await startLineServer(mcpServer({ echo: (args, reply) => reply(args) }));
    const servers = new McpServers(
      McpServerConfigs.parse([config("a", server.port), config("b", server.port)]),
      {
        callTimeoutMs: 2_000,
        log: recordingLog().log,
        now: () => performance.now(),
        random: Math.random,
      },
    );
    const users = Array.from({ length: 20 }, (_, n) =>
      servers.get(n % 2 ? "a" : "b")?.connection.call("echo", {}),
    );
    await Promise.all(users);
    expect(server.accepted()).toBe(2);
    expect(servers.primary()?.name).toBe("a");
    expect(servers.all().map(({ name }) => name)).toEqual(["a", "b"]);
    expect(servers.get("c")).toBeNull();
    servers.close();
    expect(servers.all().map(({ connection }) => connection.state)).toEqual(["closed", "closed"]);
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
