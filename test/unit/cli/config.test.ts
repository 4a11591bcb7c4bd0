import { expect, it } from "vitest";
import { config } from "../../../sidecar/cli/commands/config.ts";
import { FakeGateway, json, NOW_MS, run } from "./fakes.ts";

const ITEM = {
  ...{ name: "files", revision: 7, config: { command: "npx" }, agent_names: ["a"], allowed_tools: ["*"] },
  ...{ enabled: true, created_at: NOW_MS, updated_at: NOW_MS },
};
const API = "/api/v1/mcp";
const ONE = `${API}/configs/files?hive=default`;
const GONE = json({ code: "unknown_config", message: "No MCP server is configured under this name." }, 404);

const hivegate = async (
  routes: ConstructorParameters<typeof FakeGateway>[0],
  argv: string[],
  files: Record<string, string> = {},
) => {
  await using gateway = await new FakeGateway(routes).start();
  const ran = await run({ config }, ["config", ...argv], { env: gateway.env, files });
  return { ...ran, requests: gateway.requests };
};

it("C2 U3 lists the MCP servers, shows one, and tells its versions", async () => {
  const routes = {
    [`GET ${API}/configs?hive=default`]: json({ revision: 7, configs: [ITEM] }),
    [`GET ${ONE}`]: json(ITEM),
    [`GET ${API}/configs/files/history?hive=default`]: json({
      versions: [
        { revision: 7, name: "files", value: null, at: NOW_MS, by: "ann", source: "api", lost: false },
      ],
      more: true,
    }),
  };
  expect((await hivegate(routes, ["list"])).out).toMatch(/^SERVER .*\nfiles +7 +enabled +1 +npx\n$/);
  expect(JSON.parse((await hivegate(routes, ["get", "files"])).out)).toEqual(ITEM);
  const history = await hivegate(routes, ["history", "files"]);
  expect(history.out).toMatch(/7 .* files +removed +ann +api\nThere are older ones/);
});

it("C2 U3 puts what was got back for that version, and an entry of a file where there was none", async () => {
  const routes = { [`PUT ${ONE}`]: json({ ...ITEM, revision: 8 }), [`GET ${ONE}`]: GONE };
  const back = await hivegate(routes, ["put", "files", "f.json"], { "f.json": JSON.stringify(ITEM) });
  expect([back.code, back.out]).toEqual([0, "files: revision 8.\n"]);
  const value = { config: { command: "npx" }, agent_names: ["a"], allowed_tools: ["*"], enabled: true };
  expect(back.requests).toMatchObject([{ method: "PUT", body: value }]);
  const file = { mcpServers: { files: { command: "npx", disabled: true } } };
  const fresh = await hivegate(routes, ["put", "files", ".mcp.json"], { ".mcp.json": JSON.stringify(file) });
  expect(fresh.requests.map(({ method }) => method)).toEqual(["GET", "PUT"]);
  expect(fresh.requests[1]?.body).toMatchObject({ config: { command: "npx" }, enabled: false });
});

it("C2 U3 removes, restores and reloads", async () => {
  const routes = {
    [`GET ${ONE}`]: json(ITEM),
    [`DELETE ${ONE}`]: json({}),
    [`POST ${API}/configs/files/restore?hive=default`]: json({ ...ITEM, revision: 9 }),
    [`POST ${API}/reload?hive=default`]: json({ revision: 9, added: ["x"], changed: [], removed: ["y"] }),
  };
  expect((await hivegate(routes, ["remove", "files"])).out).toMatch(/^Removed: files/);
  expect((await hivegate(routes, ["restore", "files", "3"])).out).toMatch(/as in revision 3.*revision 9/);
  expect((await hivegate(routes, ["reload"])).out).toBe("Revision 9: added x; removed y.\n");
});

it("C1 U3 says in the status what was refused and where, and fails then", async () => {
  const status = {
    ...{ revision: 4, changed_at: NOW_MS, changed_by: "ann", source: "api", servers: 2, conflicts: [] },
    file: { name: ".mcp.json", state: "refused", read_at: null, warnings: [] },
    last_error: { at: NOW_MS, source: "file", message: "expected a comma", line: 3, column: 5 },
  };
  const ran = await hivegate({ [`GET ${API}/status?hive=default`]: json(status) }, ["status"]);
  expect(ran.code).toBe(1);
  expect(ran.out).toMatch(
    /Revision 4.*2 servers\.\nFile \.mcp\.json: refused\.\nRefused at .*:3:5: expected/,
  );
});

it("C2 U3 says what is wrong with a command", async () => {
  const cases: [string[], string][] = [
    [["lst"], 'no "config lst"'],
    [["get"], "Usage: hivegate config get NAME"],
    [["restore", "files", "x"], "is no revision"],
    [["put", "files", "nowhere"], "cannot be read"],
    [["put", "files", "other.json"], 'no server "files"'],
    [["put", "files", "bad.json"], "bad.json:1:2"],
  ];
  const files = { "other.json": '{"mcpServers":{}}', "bad.json": "{" };
  for (const [argv, message] of cases) {
    const ran = await hivegate({}, argv, files);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(message)]);
  }
});
