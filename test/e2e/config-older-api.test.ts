/** The older system's endpoints at a real sidecar, with real MCP servers behind. */
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ConfigApi } from "../support/config-api.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { TEST_KEYS } from "../support/sidecar.ts";

const REFERENCE = fileURLToPath(new URL("../support/mcp-reference/main.ts", import.meta.url));
const command = [process.execPath, REFERENCE, "--stdio"];
const WHO = "?by=ada&client=c1";

let running: McpSidecar;
let api: ConfigApi;
beforeAll(async () => {
  running = await startMcpSidecar([{ name: "tcp", type: "tcp", host: "127.0.0.1", port: 1 }], {
    SIDECAR_KEYS: TEST_KEYS,
    MCP_API_COMMANDS: process.execPath,
    MCP_API_VARIABLES: "TOKEN",
  });
  api = new ConfigApi(() => running.sidecar);
});
afterAll(() => running?.stop());
/** Each test begins with the one server that was there at first. */
afterEach(async () => {
  const { configs } = await api.list();
  for (const { name } of configs) if (name !== "tcp") await ok("DELETE", `servers/${name}`);
});

const ask = (method: string, path: string, body?: unknown) => api.ask(method, path + WHO, body);
const ok = async (...asked: Parameters<typeof ask>) => {
  const { status, body } = await ask(...asked);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body;
};
const success = (message: string) => ({ status: "success", message });

describe("the older system's endpoints", () => {
  it("C2 create, show, change, start, stop, restart and delete a server", async () => {
    const created = await ok("POST", "servers", {
      name: "Reference",
      server_type: "stdio",
      description: "For tests",
      command,
      env: { TOKEN: "s3cret" },
      agent_names: ["simple"],
      auto_start: false,
      tags: ["a"],
    });
    expect(created).toEqual({
      name: "Reference",
      status: "stopped",
      started_at: null,
      last_error: null,
      error_count: null,
      connection_attempts: null,
      last_ping: null,
      tools_discovered: null,
      resources_discovered: null,
    });
    expect(await api.get("Reference")).toMatchObject({
      config: {
        command: process.execPath,
        args: [REFERENCE, "--stdio"],
        env: { TOKEN: "***" },
        description: "For tests",
        tags: ["a"],
        autoStart: false,
      },
      agent_names: ["simple"],
      enabled: true,
    });
    expect((await api.history("configs/Reference/history")).versions).toMatchObject([
      { by: "ada", source: "old" },
    ]);

    expect(await ok("POST", "servers/Reference/start")).toEqual(
      success("Server Reference started successfully"),
    );
    expect(await ok("GET", "servers/Reference")).toMatchObject({ name: "Reference", status: "running" });
    expect(await ok("PUT", "servers/Reference", { priority: 5, description: null, tags: [] })).toMatchObject({
      status: "running",
    });
    const { config } = await api.get("Reference");
    expect(config).toMatchObject({ priority: 5, description: "For tests", autoStart: false });
    expect(config).not.toHaveProperty("tags");

    expect(await ok("POST", "servers/Reference/stop")).toEqual(
      success("Server Reference stopped successfully"),
    );
    expect(await ok("GET", "servers/Reference")).toMatchObject({ status: "stopped" });
    expect(await api.get("Reference")).toMatchObject({ enabled: false });
    expect(await ok("POST", "servers/Reference/restart")).toEqual(
      success("Server Reference restarted successfully"),
    );
    expect(await ok("GET", "servers/Reference")).toMatchObject({ status: "running" });
    expect(await ok("POST", "servers/Reference/restart")).toMatchObject({ status: "success" });

    expect(await ok("DELETE", "servers/Reference")).toEqual(success("Server Reference deleted successfully"));
    expect(await ask("GET", "servers/Reference")).toMatchObject({
      status: 404,
      body: { detail: "Server Reference not found" },
    });
  });

  it("C2 list tools and resources, of a server and of an agent", async () => {
    await ok("POST", "servers", { name: "tools", server_type: "stdio", command, agent_names: ["reader"] });
    const tools = await ok("GET", "servers/tools/tools");
    expect(tools).toMatchObject({ server_name: "tools", total: expect.any(Number) });
    expect(tools).toMatchObject({
      tools: expect.arrayContaining([
        expect.objectContaining({
          name: "test_simple_text",
          server_name: "tools",
          input_schema: expect.any(Object),
        }),
      ]),
    });
    const resources = await ok("GET", "servers/tools/resources");
    expect(resources).toMatchObject({
      server_name: "tools",
      resources: expect.arrayContaining([
        expect.objectContaining({ server_name: "tools", uri: expect.any(String) }),
      ]),
    });
    expect(await ok("GET", "servers/tools")).toMatchObject({
      status: "running",
      tools_discovered: expect.arrayContaining(["test_simple_text"]),
    });
    expect(await ok("GET", "agents/reader/servers")).toMatchObject({
      servers: [{ name: "tools" }],
      total: 1,
    });
    expect(await ok("GET", "agents/reader/tools")).toMatchObject({
      agent_name: "reader",
      servers: ["tools"],
      tools: expect.arrayContaining([
        expect.objectContaining({ tool_name: "test_simple_text", server_name: "tools" }),
      ]),
    });
    expect(await ok("GET", "agents/nobody/servers")).toEqual({ servers: [], total: 0 });
    const health = await ok("GET", "health");
    expect(health).toMatchObject({ status: "healthy", servers_running: 1, servers_error: 0 });
  });

  it("C2 assign servers to agents and take them away, however many do so at once", async () => {
    await ok("POST", "servers", {
      name: "shared",
      server_type: "http",
      http_url: "http://127.0.0.1:1/mcp",
      auto_start: false,
    });
    const agents = Array.from({ length: 20 }, (_, i) => `agent-${i}`);
    const assigned = await Promise.all(agents.map((agent) => ok("POST", `agents/${agent}/servers/shared`)));
    expect(assigned[3]).toEqual(success("Server shared assigned to agent agent-3 successfully"));
    expect((await api.get("shared")).agent_names.toSorted()).toEqual(agents.toSorted());
    await Promise.all(agents.slice(1).map((agent) => ok("DELETE", `agents/${agent}/servers/shared`)));
    expect((await api.get("shared")).agent_names).toEqual(["agent-0"]);
    expect(await ask("DELETE", "agents/agent-1/servers/shared")).toMatchObject({
      status: 404,
      body: { detail: "Server shared is not assigned to agent agent-1" },
    });
  });

  it("C2 configure several servers, all or none", async () => {
    const [program, ...args] = command;
    const mcpServers = {
      one: {
        command: program,
        args,
        env: {},
        agent_names: ["simple"],
        auto_start: true,
        timeout_seconds: 60,
      },
      two: { url: "http://127.0.0.1:1/mcp", auto_start: false, disabled: true },
    };
    expect(await ok("POST", "configure", { mcpServers })).toMatchObject({
      servers: [
        { name: "one", status: expect.stringMatching(/starting|running/) },
        { name: "two", status: "stopped" },
      ],
      total: 2,
    });
    expect(await api.get("one")).toMatchObject({
      config: { command: program, args, timeoutSeconds: 60 },
      agent_names: ["simple"],
    });
    expect(await api.get("two")).toMatchObject({ enabled: false });
    const changed = { ...mcpServers, two: { url: "http://127.0.0.1:2/mcp" }, three: { command: "rm" } };
    expect(await ask("POST", "configure", { mcpServers: changed })).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("MCP_API_COMMANDS") },
    });
    expect(await api.get("two")).toMatchObject({ enabled: false });
    expect(await ok("GET", "servers")).toMatchObject({ total: 3 });
    const { revision } = await api.get("one");
    const restricted = { config: { url: "http://127.0.0.1:1/mcp" }, allowed_tools: ["read_*"] };
    await api.put("one", restricted, { "if-match": `"${revision}"` });
    await ok("POST", "configure", { mcpServers: { one: { command: program, args: [...args, "x"] } } });
    expect(await api.get("one")).toMatchObject({
      agent_names: [],
      allowed_tools: ["read_*"],
      config: { args: [...args, "x"] },
    });
  });

  it("C2 refuse in the older system's words", async () => {
    const missing = (field: string) => ({ type: "missing", loc: ["body", field], msg: "Field required" });
    const table: [string, string, unknown, number, unknown][] = [
      ["GET", "servers/nobody", undefined, 404, "Server nobody not found"],
      ["PUT", "servers/nobody", {}, 404, "Server nobody not found"],
      ["DELETE", "servers/nobody", undefined, 404, "Server nobody not found"],
      ["POST", "servers/nobody/start", undefined, 404, "Server nobody not found"],
      ["GET", "servers/nobody/tools", undefined, 404, "Server nobody not found"],
      ["POST", "agents/a/servers/nobody", undefined, 404, "Server nobody not found"],
      ["POST", "servers", {}, 422, [missing("name"), missing("server_type")]],
      ["POST", "configure", {}, 422, [missing("mcpServers")]],
      [
        "POST",
        "servers",
        { name: "x", server_type: "stdio" },
        422,
        [
          {
            type: "value_error",
            loc: ["body", "command"],
            msg: "Value error, Command is required for stdio servers",
          },
        ],
      ],
      [
        "POST",
        "servers",
        { name: "x", server_type: "stdio", command: [1] },
        422,
        [{ loc: ["body", "command", 0] }],
      ],
      [
        "POST",
        "servers",
        { name: "tcp", server_type: "http", http_url: "http://h" },
        400,
        "Server tcp already exists",
      ],
      [
        "POST",
        "servers",
        { name: "a__b", server_type: "http", http_url: "http://h" },
        400,
        expect.stringContaining("__"),
      ],
      [
        "POST",
        "servers",
        { name: "x", server_type: "stdio", command: ["rm"] },
        400,
        expect.stringContaining("MCP_API_COMMANDS"),
      ],
    ];
    for (const [method, path, body, status, detail] of table)
      expect(await ask(method, path, body), `${method} ${path}`).toMatchObject({ status, body: { detail } });
  });

  it("C2 say that a server did not start, and why its state is an error", async () => {
    expect(await ask("POST", "servers/tcp/start")).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/^Failed to start server tcp: /) },
    });
    expect(await ok("GET", "servers/tcp")).toMatchObject({ status: "error" });
    expect(await ok("GET", "health")).toMatchObject({
      status: "unhealthy",
      servers_total: 1,
      servers_error: 1,
    });
  });

  it("C2 change a server that the older system could not have had, and leave the rest of it alone", async () => {
    await ok("PUT", "servers/tcp", { description: "still there", agent_names: ["simple"] });
    expect(await api.get("tcp")).toMatchObject({
      config: { host: "127.0.0.1", port: 1, description: "still there" },
      agent_names: ["simple"],
    });
  });
});
