import { describe, expect, it } from "vitest";
import { McpServerConfigs, placeOf } from "../../../sidecar/mcp/server-config.ts";

const parse = (...entries: object[]) => McpServerConfigs.safeParse(entries);
const named = (entry: object) => ({ name: "a", ...entry });

describe("what may be said of an MCP server", () => {
  it("T2 without a type it is reached over TCP, as it always was", () => {
    const entry = named({ profile: "demo", host: "h", port: 9500 });
    expect(parse(entry).data).toEqual([{ type: "tcp", ...entry }]);
  });

  it.each([
    [{ type: "tcp", host: "h", port: 1 }, "h:1"],
    [{ type: "stdio", command: "npx", args: ["-y", "x"], env: { KEY: "v" }, cwd: "/tmp" }, "stdio:npx"],
    [{ type: "docker-exec", container: "c", command: "x", workdir: "/app" }, "c:x"],
    [{ type: "http", url: "https://h/mcp?key=secret", headers: { authorization: "Bearer t" } }, "https://h"],
    [{ type: "ws", url: "wss://u:secret@h/ws" }, "wss://h"],
  ])("T2 %j is a server, and where it is can be said without its secrets", (entry, place) => {
    const common = {
      pool: "p",
      category: "files",
      eager: true,
      cache: { tools: { "get_*": 1_000, "*": false } },
    };
    const { data } = parse(named({ ...entry, ...common }));
    expect(data).toMatchObject([{ ...entry, ...common }]);
    expect(data?.map(placeOf)).toEqual([place]);
  });

  it("C1 names are those that the ecosystem's files have", () => {
    for (const name of ["GitHub", "brave-search", "my.server", "a_b", "3d"])
      expect(parse({ name, host: "h", port: 1 }).success).toBe(true);
    for (const name of ["", ".a", "_a", "a_", "a__b", "a b", "a/b", "Hivegate", "x".repeat(64)])
      expect(parse({ name, host: "h", port: 1 }).success).toBe(false);
  });

  it.each([
    ["a name that qualifies tools", { name: "a__b", host: "h", port: 1 }],
    ["a type that nobody knows", named({ type: "carrier-pigeon" })],
    ["no command", named({ type: "stdio", command: "" })],
    ["a variable that is none", named({ type: "stdio", command: "x", env: { "A=B": "v" } })],
    ["an argument that no process can have", named({ type: "stdio", command: "x", args: ["a\0b"] })],
    ["a container that is none", named({ type: "docker-exec", container: "../c", command: "x" })],
    [
      "a relative directory in a container",
      named({ type: "docker-exec", container: "c", command: "x", workdir: "a" }),
    ],
    ["another protocol", named({ type: "http", url: "file:///etc/passwd" })],
    ["a header that is two", named({ type: "http", url: "http://h", headers: { a: "b\r\nc: d" } })],
    ["answers that are kept for no time", named({ host: "h", port: 1, cache: { tools: { "*": 0 } } })],
  ])("S8 refuses %s", (_what, entry) => {
    expect(parse(entry).success).toBe(false);
  });
});
