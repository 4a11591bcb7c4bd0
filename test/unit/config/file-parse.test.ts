// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written in these files
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { parseConfigFile } from "../../../sidecar/config/file/parse.ts";

const file = (servers: unknown, rest: object = {}) => JSON.stringify({ mcpServers: servers, ...rest });
const entriesOf = (text: string) => {
  const parsed = parseConfigFile(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problem));
  return parsed;
};
const problemOf = (text: string) => {
  const parsed = parseConfigFile(text);
  if (parsed.ok) throw new Error("it was accepted");
  return parsed.problem;
};
const all = { agent_names: [], allowed_tools: ["*"], enabled: true };

/** As these tools' users have them: what each becomes, and what of it is told to be ignored. */
const FILES: [tool: string, text: string, entries: object[], warnings: string[]][] = [
  [
    "Claude Desktop",
    `{
      "globalShortcut": "",
      "mcpServers": {
        "brave-search": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-brave-search"], "env": { "BRAVE_API_KEY": "k" } },
        "GitHub": { "command": "docker", "args": ["run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server"] }
      }
    }`,
    [
      {
        ...all,
        name: "brave-search",
        config: {
          command: "npx",
          args: ["-y", "@modelcontextprotocol/server-brave-search"],
          env: { BRAVE_API_KEY: "k" },
        },
      },
      { ...all, name: "GitHub" },
    ],
    ['2:7 ignored: only "mcpServers" is read'],
  ],
  [
    "Claude Code",
    '{"mcpServers":{"api":{"type":"http","url":"${API_BASE:-https://api.example.com}/mcp","headers":{"Authorization":"Bearer ${API_KEY}"}}}}',
    [
      {
        ...all,
        name: "api",
        config: {
          type: "http",
          url: "${API_BASE:-https://api.example.com}/mcp",
          headers: { Authorization: "Bearer ${API_KEY}" },
        },
      },
    ],
    [],
  ],
  [
    "Cline",
    '{"mcpServers":{"remote":{"type":"streamableHttp","url":"https://h/mcp","timeout":60,"disabled":true,"autoApprove":["read"],"alwaysAllow":[]}}}',
    [{ ...all, name: "remote", enabled: false, config: expect.not.objectContaining({ disabled: true }) }],
    [
      '1:72 ignored: its unit differs between tools: write "timeoutMs"',
      "1:101 ignored: whether a tool may be called is a matter of permissions",
      "1:124 ignored: whether a tool may be called is a matter of permissions",
    ],
  ],
  [
    "Cursor, with comments, trailing commas and a byte order mark",
    '\uFEFF// mine\r\n{"mcpServers":{\r\n  "my.server":{"url":"http://localhost:3000/mcp","headers":{"API_KEY":"${env:KEY}",},}, /* end */\r\n},}',
    [{ ...all, name: "my.server" }],
    [],
  ],
  [
    "Hivegate",
    file({
      files: {
        command: "x",
        allowedTools: ["read_*"],
        agentNames: ["a", "b"],
        description: "d",
        tags: ["t"],
      },
      tcp: { host: "h", port: "${PORT}", token: null, profile: "demo", pool: "p" },
      box: { container: "c", command: "x", workdir: "/w" },
      ws: { url: "wss://h", eager: true, timeoutMs: 5, cache: { tools: { "*": false } }, category: "c" },
    }),
    [
      {
        name: "files",
        config: { command: "x", description: "d", tags: ["t"] },
        agent_names: ["a", "b"],
        allowed_tools: ["read_*"],
        enabled: true,
      },
      { name: "tcp" },
      { name: "box" },
      { name: "ws" },
    ],
    [],
  ],
];

describe("a file of MCP servers", () => {
  it.each(FILES)("C1 is read as %s has it", (_tool, text, entries, warned) => {
    const { entries: read, warnings } = entriesOf(text);
    expect(read).toMatchObject(entries);
    expect(warnings.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual(warned);
  });

  it.each([
    ["nothing", "", "1:1 expected a value"],
    ["no servers", "{}", '1:1 expected an object "mcpServers"'],
    ["a list of servers", file([]), "1:15 expected an object"],
    ["another tool's name for them", '{"servers":{}}', '1:1 expected an object "mcpServers"'],
    ["JSON that breaks off", '{\n  "mcpServers": {', "2:18 expected a closing brace"],
    ["no comma", '{"mcpServers":{"a":{"command":"x"\n"args":[]}}}', "2:1 expected a comma"],
    ["single quotes", "{'mcpServers':{}}", "1:2 expected JSON"],
    [
      "a name twice",
      '{"mcpServers":{"a":{"command":"x"},\n "a":{"command":"y"}}}',
      "2:2 this name is there twice",
    ],
    ["a field twice", '{"mcpServers":{"a":{"command":"x","command":"y"}}}', "1:35 this name is there twice"],
    ["a name that is none", file({ "my server": { command: "x" } }), "1:16 a server's name is"],
    ["a name that qualifies tools", file({ a__b: { command: "x" } }), "1:16 a server's name has no __"],
    ["a name that ends in _", file({ a_: { command: "x" } }), "1:16 a server's name does not end in _"],
    ["the gateway's own name", file({ hivegate: { command: "x" } }), "1:16 hivegate is the name of"],
    ["a prototype", '{"mcpServers":{"__proto__":{"command":"x"}}}', "1:16 expected another name"],
    [
      "a prototype further in",
      '{"mcpServers":{"a":{"command":"x","env":{"__proto__":"y"}}}}',
      "1:42 expected another",
    ],
    ["a server that is no object", file({ a: "x" }), "1:20 expected an object"],
    [
      "no way to reach a server",
      file({ a: { args: [] } }),
      "1:20 expected command, or url, or host and port",
    ],
    [
      "a misspelt way to reach a server",
      file({ a: { comand: "x" } }),
      '1:30 expected command, or url, or host and port: did you mean "command"?',
    ],
    [
      "another tool's way to reach a server",
      file({ a: { autoApprove: [], serverUrl: "http://h" } }),
      '1:50 expected command, or url, or host and port: did you mean "url"?',
    ],
    [
      "the old transport",
      file({ a: { type: "sse", url: "http://h/sse" } }),
      "1:28 the transport sse is no longer",
    ],
    ["another type", file({ a: { type: "pigeon" } }), "1:28 expected one of stdio, docker-exec, http,"],
    ["no command", file({ a: { type: "stdio" } }), '1:20 expected a field "command"'],
    ["a command that is a list", file({ a: { command: ["x"] } }), "1:31 expected text in double quotes"],
    ["an argument that is no text", file({ a: { command: "x", args: ["a", 5] } }), "1:47 expected text"],
    ["a variable that is no text", file({ a: { command: "x", env: { A: 1 } } }), "1:46 expected text"],
    ["a port that is a word", file({ a: { host: "h", port: "http" } }), "1:39 expected a number or ${NAME}"],
    [
      "a port that is none",
      file({ a: { host: "h", port: 70_000 } }),
      "1:39 Too big: expected number to be <=65535",
    ],
    ["no port", file({ a: { host: "h" } }), '1:20 expected a field "port"'],
    [
      "two that contradict",
      file({ a: { command: "x", enabled: true, disabled: true } }),
      "1:61 expected enabled",
    ],
    ["an unfinished variable", file({ a: { command: "x", env: { A: "${B" } } }), "1:46 expected ${NAME}"],
    ["a question to the user", file({ a: { url: "${input:x}" } }), "1:27 expected ${NAME}"],
    ["variables in defaults", file({ a: { url: "${A:-${B}}" } }), "1:27 expected ${NAME}"],
    ["half a character", '{"mcpServers":{"a":{"command":"\\ud800"}}}', "1:31 expected whole characters"],
    ["bytes that are no UTF-8", `{"mcpServers":\n{"a\uFFFD":{}}}`, "2:4 expected UTF-8"],
    [
      "a number without an end",
      '{"mcpServers":{"a":{"command":"x","x":1e999}}}',
      "1:39 expected a smaller number",
    ],
    [
      "a field that cache has not",
      file({ a: { command: "x", cache: { tools: {}, ttl: 5 } } }),
      "1:61 expected no",
    ],
    ["a kind of swarm that is none", file({ a: { command: "x", profile: "other" } }), "1:45 Invalid option"],
  ])("C1 is refused with %s, and where that is", (_what, text, expected) => {
    const { line, column, message } = problemOf(text);
    expect(`${line}:${column} ${message}`.slice(0, expected.length)).toBe(expected);
  });

  it.each([
    [{ command: "x", arg: [] }, 'did you mean "args"?'],
    [{ command: "x", envs: {} }, 'did you mean "env"?'],
    [{ url: "http://h", haeders: {} }, 'did you mean "headers"?'],
    [{ command: "x", allowed_tools: [] }, 'did you mean "allowedTools"?'],
    [{ command: "x", headers: {} }, "a server of type stdio has no headers"],
    [{ command: "x", constructor: 5 }, "this means nothing here"],
  ])("C1 tells that a field of %j is ignored: %s", (server, advice) => {
    expect(entriesOf(file({ a: server })).warnings).toMatchObject([{ message: `ignored: ${advice}` }]);
  });

  it("C1 takes names for nothing but names, though every object has something of that name", () => {
    const names = ["constructor", "toString", "hasOwnProperty", "valueOf"];
    const { entries } = entriesOf(file(Object.fromEntries(names.map((name) => [name, { command: name }]))));
    expect(entries.map(({ name }) => name)).toEqual(names);
    expect(problemOf(file({ a: { type: "constructor" } })).message).toMatch(/^expected one of/);
  });

  it("C1 says where something is that turns out to be wrong later", () => {
    const { placeOf } = entriesOf('{"mcpServers":{\n"a":{"command":"x","args":["b",\n "c"]}}}');
    expect(placeOf("a", ["args", 1])).toEqual({ line: 3, column: 2 });
    expect(placeOf("a", ["env", "X"])).toEqual({ line: 2, column: 5 });
    expect(placeOf("b", [])).toEqual({ line: 1, column: 15 });
  });

  it("C1 is refused where it is too long, too deep or has too many servers, each within a second", () => {
    expect(problemOf(" ".repeat(LIMITS.configFileBytes + 1)).message).toContain("at most 4194304 bytes");
    const deep = "[".repeat(1_000_000);
    expect(problemOf(deep)).toEqual({ message: "expected at most 500 levels", line: 1, column: 501 });
    const servers = Array.from({ length: LIMITS.configServers + 1 }, (_, n) => [`s${n}`, { command: "x" }]);
    expect(problemOf(file(Object.fromEntries(servers))).message).toBe("expected at most 20000 servers");
    expect(entriesOf(file(Object.fromEntries(servers.slice(1)))).entries).toHaveLength(LIMITS.configServers);
    const ignored = servers.slice(1).map(([name]) => [name, { command: "x", autoApprove: [] }]);
    expect(entriesOf(file(Object.fromEntries(ignored))).warnings).toHaveLength(LIMITS.configWarnings);
  });

  it("C1 is what the published example is", () => {
    const example = readFileSync(new URL("../../../docs/config/mcp.example.json", import.meta.url), "utf8");
    expect(entriesOf(example)).toMatchObject({ entries: { length: 5 }, warnings: [] });
  });
});
