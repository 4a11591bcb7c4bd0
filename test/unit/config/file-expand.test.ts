// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written in these files
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigEntry } from "../../../sidecar/config/entry.ts";
import { expandText } from "../../../sidecar/config/file/expand.ts";
import { apiRules, ownRules } from "../../../sidecar/config/file/rules.ts";
import { checkTogether, toServerConfig } from "../../../sidecar/config/file/server.ts";
import { OWN_SECRETS } from "../../../sidecar/config-variables.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";

const entry = (config: ConfigEntry["config"], rest: Partial<ConfigEntry> = {}): ConfigEntry => ({
  ...{ name: "a", config, agent_names: [], allowed_tools: ["*"], enabled: true },
  ...rest,
});
const env = {
  HOST: "h",
  PORT: "9500",
  EMPTY: "",
  KEY: 'k ${HOST} $${ "',
  SIDECAR_KEYS: "own",
  DASHED: "-:}",
};
const own = (config: ConfigEntry["config"], rest?: Partial<ConfigEntry>) =>
  toServerConfig(entry(config, rest), ownRules(env));
type May = Partial<Parameters<typeof apiRules>[1]>;
const api = (config: ConfigEntry["config"], may: May = {}) =>
  toServerConfig(entry(config), apiRules(env, { commands: [], variables: [], hosts: ["*"], ...may }));

describe("variables in a configuration", () => {
  it.each([
    ["a ${HOST} b", "a h b"],
    ["${HOST}${PORT}", "h9500"],
    ["${env:HOST}", "h"],
    ["${NONE:-x}", "x"],
    ["${NONE:-}", ""],
    ["${EMPTY:-x}", "x"],
    ["${HOST:-x}", "h"],
    ["${NONE:-a:-b$c\n}", "a:-b$c\n"],
    ["$${HOST} $HOST ${HOST}", "${HOST} $HOST h"],
    ["${KEY}", env.KEY],
    ["{HOST} $ {HOST}", "{HOST} $ {HOST}"],
    ["${DASHED}", "-:}"],
  ])("C1 %s stands for %s", (text, expanded) => {
    expect(expandText(text, (name) => new Map(Object.entries(env)).get(name) || null)).toBe(expanded);
  });

  it("C1 a text without a place for one stays as it is, and any text can be written", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("$", "{", "}", "a", "A", ":", "-") }), (text) => {
        const escaped = text.replaceAll("${", () => "$${");
        expect(expandText(escaped, () => null)).toBe(text);
        if (!text.includes("${")) expect(expandText(text, () => null)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it("C1 what a variable holds is taken as it is, whatever it looks like", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, value, after) => {
        const [a, b] = [before, after].map((text) => text.replaceAll("${", "").replaceAll("$", ""));
        expect(expandText(`${a}\${X}${b}`, () => value)).toBe(`${a}${value}${b}`);
      }),
    );
  });

  it("C1 are replaced wherever an entry has text, and numbers may be made of them", () => {
    expect(own({ host: "${HOST}", port: "${PORT}", token: "${KEY}", timeoutMs: "${PORT}" })).toEqual({
      ...{ name: "a", type: "tcp", host: "h", port: 9500, token: env.KEY, timeoutMs: 9500 },
    });
    expect(own({ command: "${HOST}/x", args: ["${PORT}"], env: { A: "${KEY}" }, cwd: "/${HOST}" })).toEqual({
      ...{ name: "a", type: "stdio", command: "h/x", args: ["9500"], env: { A: env.KEY }, cwd: "/h" },
    });
    expect(own({ url: "${SCHEME:-wss}://${HOST}/x" })).toMatchObject({ type: "ws", url: "wss://h/x" });
    expect(own({ url: "https://${HOST}/x", headers: { a: "b ${PORT}" } })).toMatchObject({
      ...{ type: "http", headers: { a: "b 9500" } },
    });
    expect(own({ host: "h", port: 1, token: "${NONE:-}" })).toMatchObject({ token: null });
    expect(own({ host: "${constructor:-h}", port: 1 })).toMatchObject({ host: "h" });
  });

  it("C1 leaves alone what is only for people, or for other tools", () => {
    const config = { command: "x", description: "${NONE}", tags: ["t"], envFile: "${workspaceFolder}/.env" };
    expect(own(config)).toEqual({ name: "a", type: "stdio", command: "x", args: [], env: {} });
  });

  it.each([
    [
      { command: "x", env: { A: "b${NONE}" } },
      "the variable NONE is not set, and there is no default",
      "env.A",
    ],
    [
      { command: "x", args: ["${EMPTY}"] },
      "the variable EMPTY is not set, and there is no default",
      "args.0",
    ],
    [
      { command: "x", args: ["a", "${SIDECAR_KEYS:-b}"] },
      "the variable SIDECAR_KEYS is for the sidecar",
      "args.1",
    ],
    [{ url: "${HOST}" }, "expected an http:// or https:// address", "url"],
    [{ host: "h", port: "${HOST}" }, "expected a number", "port"],
    [{ host: "h", port: "7${PORT}" }, "Too big", "port"],
    [{ container: "${KEY}", command: "x" }, "expected a container's name", "container"],
    [{ url: "http://h", headers: { a: "${KEY}\n" } }, "expected a header's value", "headers.a"],
    [{ command: "x", generic: {} }, "expected only with the profile generic", "generic"],
    [{ type: "sse", url: "x" }, "the transport sse is no longer supported", "type"],
  ])("C1 refuses %j with the place, and without the value: %s", (config, message, path) => {
    const refused = own(config);
    expect(refused).toMatchObject({ message: expect.stringContaining(message) });
    expect("path" in refused && refused.path.join(".")).toBe(path);
    expect(JSON.stringify(refused)).not.toContain("$${");
  });

  it.each(OWN_SECRETS)("C2 nobody's configuration may say %s", (name) => {
    expect(own({ command: `\${${name}}` })).toMatchObject({ path: ["command"] });
    const may = { commands: ["*"], variables: [name] };
    expect(api({ command: `\${${name}:-x}` }, may)).toMatchObject({ path: ["command"] });
  });

  it("C1 tools that are allowed go along, unless that is all", () => {
    expect(own({ command: "x" }, { allowed_tools: ["a*"] })).toMatchObject({ allowedTools: ["a*"] });
    expect(own({ command: "x" }, { allowed_tools: [] })).toMatchObject({ allowedTools: [] });
    expect(own({ command: "x" }, { allowed_tools: ["a", "*"] })).not.toHaveProperty("allowedTools");
  });
});

describe("what comes through the API", () => {
  it("C2 starts only the commands, and uses only the variables, that the sidecar's owner named", () => {
    const may = { commands: ["npx", "k"], variables: ["HOST"] };
    expect(api({ command: "npx", args: ["${HOST}"] }, may)).toMatchObject({ args: ["h"] });
    expect(api({ command: "/bin/npx" }, may)).toEqual({
      message: "this command is not one of MCP_API_COMMANDS, which the sidecar is started with",
      path: ["command"],
    });
    expect(api({ container: "c", command: "sh" }, may)).toMatchObject({ path: ["command"] });
    expect(api({ command: "${HOST}" }, may)).toMatchObject({ path: ["command"] });
    expect(api({ command: "${NONE:-sh}" }, may)).toMatchObject({
      message: "the variable NONE is not one of MCP_API_VARIABLES, which the sidecar is started with",
    });
    expect(api({ url: "http://${PORT}" }, may)).toMatchObject({ path: ["url"] });
    expect(api({ command: "sh" }, { commands: ["*"] })).toMatchObject({ command: "sh" });
    expect(api({ url: "http://h" })).toMatchObject({ type: "http" });
  });

  it.each([
    "PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "GIT_CONFIG_COUNT",
    "SHELLOPTS",
    "PS4",
    "HOME",
    "constructor",
  ])("C2 does not say what an allowed command really is, by %s", (name) => {
    const config = { command: "npx", env: { [name]: "/tmp/mine" } };
    expect(api(config, { commands: ["npx"], variables: ["OTHER"] })).toEqual({
      message: expect.stringContaining(`the variable ${name} is not one of MCP_API_VARIABLES`),
      path: ["env", name],
    });
    expect(api({ container: "c", ...config }, { commands: ["npx"] })).toMatchObject({ path: ["env", name] });
    expect(api(config, { commands: ["npx"], variables: [name] })).toMatchObject({ env: config.env });
    expect(api(config, { commands: ["*"] })).toMatchObject({ env: config.env });
    expect(own(config)).toMatchObject({ env: config.env });
  });

  it.each([
    { command: "./server", cwd: "/tmp/mine" },
    { command: "./server", workdir: "/tmp/mine", container: "c" },
  ])("C2 does not say where an allowed command is started: %j", (config) => {
    expect(api(config, { commands: ["./server"] })).toEqual({
      message: expect.stringContaining("MCP_API_COMMANDS=*"),
      path: ["cwd" in config ? "cwd" : "workdir"],
    });
    expect(api(config, { commands: ["*"] })).toMatchObject(config);
    expect(own(config)).toMatchObject(config);
  });

  it.each<[ConfigEntry["config"], string]>([
    [{ url: "http://127.0.0.1:2375/v1.43/x" }, "url"],
    [{ url: "http://0x7f.1/" }, "url"],
    [{ url: "http://evil.example/?a.mine.example" }, "url"],
    [{ url: "http://a.mine.example@evil.example/" }, "url"],
    [{ url: "ws://[::1]/" }, "url"],
    [{ host: "169.254.169.254", port: 80 }, "host"],
    [{ host: "evil.example\0.mine.example", port: 80 }, "host"],
    [{ host: "evil.example/.mine.example", port: 80 }, "host"],
  ])("C2 reaches no host but those that the sidecar's owner named: not %j", (config, field) => {
    expect(api(config, { hosts: ["*.mine.example", "::2"] })).toEqual({
      message: "this host is not one of MCP_API_HOSTS, which the sidecar is started with",
      path: [field],
    });
    expect(api(config)).not.toHaveProperty("message");
    expect(own(config)).not.toHaveProperty("message");
  });

  it("C2 reaches those hosts, by whatever name and port", () => {
    const may = { hosts: ["*.Mine.example", "::2", "10.0.0.*"], variables: ["HOST"] };
    for (const url of ["https://A.mine.example:8443/mcp", "wss://b.c.MINE.example/", "http://[::2]:1/"])
      expect(api({ url }, may)).not.toHaveProperty("message");
    for (const host of ["a.mine.EXAMPLE", "::2", "10.0.0.7"])
      expect(api({ host, port: 1 }, may)).not.toHaveProperty("message");
    expect(api({ host: "${HOST}", port: 1 }, may)).toMatchObject({ path: ["host"] });
  });
});

describe("servers together", () => {
  it("C1 are refused where those of a pool tell of different agents, by the later one's name", () => {
    const servers = McpServerConfigs.parse(
      ["a", "b"].map((name) => ({ ...{ name, host: "h", port: 1, pool: "p", profile: "demo" } })),
    );
    expect(checkTogether(servers)).toBeNull();
    const [first, second] = servers;
    if (!first || !second) throw new Error("two were made");
    expect(checkTogether([first, { ...second, profile: "generic" }])).toEqual({
      ...{ name: "b", path: ["pool"], message: "the MCP servers of a pool need the same profile" },
    });
    expect(checkTogether([])).toBeNull();
  });
});
