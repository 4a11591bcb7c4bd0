import { describe, expect, it } from "vitest";
import { GATEWAY_SERVER } from "../../../shared/protocol/tools.ts";
import { COLUMNS, type Shape } from "../../../sidecar/config/old/columns.ts";
import type { OldDump, OldRow } from "../../../sidecar/config/old/database.ts";
import { firstProblems, rowProblems, shapeProblems } from "../../../sidecar/config/old/problems.ts";

const server = (id: number, rest: OldRow = {}): OldRow => ({
  id,
  name: `server-${id}`,
  server_type: "stdio",
  description: null,
  command: '["server"]',
  env: "{}",
  http_url: null,
  auto_start: 1,
  max_retries: 3,
  timeout_seconds: 30,
  tags: "[]",
  priority: 0,
  enabled: 1,
  ...rest,
});
const agent = (id: number, name: string | null = `agent-${id}`): OldRow => ({ id, name });
const assignment = (id: number, agent_id: number, mcp_server_id: number): OldRow => ({
  id,
  agent_id,
  mcp_server_id,
});
const dump = (parts: Partial<OldDump>): OldDump => ({ servers: [], assignments: [], agents: [], ...parts });
const told = (parts: Partial<OldDump>) =>
  rowProblems(dump(parts)).map(({ table, id, message }) => `${table} ${id}: ${message}`);

describe("problems of an older database", () => {
  it("C4 are none where there are none", () => {
    const servers = [server(1), server(2, { server_type: "http", command: null, http_url: "https://h/mcp" })];
    expect(told({ servers, agents: [agent(1)], assignments: [assignment(1, 1, 2)] })).toEqual([]);
  });

  it.each<[string, OldRow, RegExp]>([
    ["JSON that cannot be read", { command: '["a"' }, /^command: this JSON cannot be read$/],
    ["JSON of another shape", { command: '{"a":1}' }, /^command: expected a JSON array of texts$/],
    ["arguments that are no texts", { command: '["a", 1]' }, /^command: expected texts$/],
    ["variables that are no texts", { env: '{"PORT": 1}' }, /^env: expected texts$/],
    ["a variable that no process can have", { env: '{"a b": "s3cret"}' }, /^env, a b: /],
    ["a key that readers of JSON disagree about", { env: '{"__proto__": "x"}' }, /^env: this JSON/],
    ["stdio without a command", { command: null }, /^command: expected one/],
    ["stdio with an empty command", { command: "[]" }, /^command: expected one/],
    ["http without an address", { server_type: "http", command: null }, /^http_url: expected one/],
    ["an address that is none", { server_type: "http", http_url: "s3cret" }, /^http_url: expected an http/],
    ["another type", { server_type: "sse" }, /^server_type: expected stdio or http$/],
    ["a flag that is none", { enabled: "maybe" }, /^enabled: expected true or false$/],
    ["a number that is none", { priority: "high" }, /^priority: expected a whole number$/],
    ["a number that is too large to come back", { priority: 2 ** 40 }, /no place for this priority/],
    ["a name that is none", { name: null }, /^name: expected a text$/],
  ])("C4 say which row and which column has %s, and no value", (_, wrong, message) => {
    const [problem, ...more] = rowProblems(dump({ servers: [server(1, wrong)] }));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ table: "mcp_servers", id: "1" });
    expect(problem?.message).toMatch(message);
    expect(problem?.message).not.toContain("s3cret");
  });

  it.each([
    [" files", "files"],
    ["my server", "my-server"],
    ["a__b", "a_b"],
    ["ends_", "ends"],
    [GATEWAY_SERVER, `${GATEWAY_SERVER}2`],
    ["x".repeat(64), "x".repeat(60)],
    ["日本", "server"],
  ])("C4 say how %j, which cannot be used, may be called", (name, better) => {
    const [problem, ...more] = told({ servers: [server(1, { name })] });
    expect(more).toEqual([]);
    expect(problem).toContain("rename it");
    expect(problem).toContain(`to ${better} for example`);
  });

  it("C4 propose no name that is taken, were it by another proposal", () => {
    const servers = [server(1, { name: "a b" }), server(2, { name: "a-b" }), server(3, { name: "a  b" })];
    expect(told({ servers }).map((message) => /to (\S+) for/.exec(message)?.[1])).toEqual(["a-b2", "a-b3"]);
  });

  it("C4 tell of names that are there twice, and of assignments that lead nowhere or are doubled", () => {
    const servers = [server(1, { name: "a" }), server(2, { name: "a" })];
    const agents = [agent(1, "same"), agent(2, "same"), agent(3, null), agent(4, "idle"), agent(5, "idle")];
    const assignments = [
      assignment(1, 1, 1),
      assignment(2, 1, 1),
      assignment(3, 9, 1),
      assignment(4, 1, 9),
      assignment(5, 3, 1),
    ];
    expect(told({ servers, agents, assignments })).toEqual([
      "mcp_servers 2: name: the same as that of 1",
      "agent_mcp_servers 3: agent_id: there is no such row in agents",
      "agent_mcp_servers 4: mcp_server_id: there is no such row in mcp_servers",
      "agent_mcp_servers 2: the agent and its server: the same as that of 1",
      "agents 3: name: expected one of 1 to 255 characters",
      "agents 2: name: the same as that of 1",
    ]);
  });

  it("C4 tell of tables and columns that are missing, and of those that nobody knows", () => {
    const whole: Shape = COLUMNS;
    expect(shapeProblems(whole)).toEqual([]);
    const wrong: Shape = {
      ...whole,
      agents: null,
      mcp_servers: [...COLUMNS.mcp_servers.filter((column) => column !== "env"), "status", "secret_extra"],
    };
    expect(shapeProblems(wrong).map(({ table, message }) => `${table}: ${message}`)).toEqual([
      "mcp_servers: there is no column env",
      expect.stringContaining("mcp_servers: the column secret_extra is not known"),
      "agents: there is no such table",
    ]);
  });

  it("C4 are twenty at most, and a count", () => {
    const servers = Array.from({ length: 30 }, (_, i) => server(i, { env: "[" }));
    const first = firstProblems(rowProblems(dump({ servers })));
    expect(first).toHaveLength(21);
    expect(first.at(-1)?.message).toBe("and 10 more problems");
  });
});
