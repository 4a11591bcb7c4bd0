import { expect, it } from "vitest";
import { client, json, refused } from "./answered-client.ts";

const ITEM = { name: "a/b", revision: 7 };

it("C2 U2 reads, changes, removes and restores configurations, each change for the version that is meant", async () => {
  const { gateway, sent } = client(
    ...[json(ITEM), json(ITEM, 201), json(ITEM), () => new Response(null, { status: 204 }), json(ITEM)],
  );
  expect(await gateway.configs.get("a/b")).toEqual(ITEM);
  await gateway.configs.put("a/b", { config: { command: "x" } }, "none");
  await gateway.configs.put("a/b", { config: { command: "x" } }, 7);
  await gateway.configs.remove("a/b", 8);
  await gateway.configs.restore("a/b", 7, "none");
  const path = "/api/v1/mcp/configs/a%2Fb?hive=default";
  expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
    ...[`GET ${path}`, `PUT ${path}`, `PUT ${path}`, `DELETE ${path}`],
    "POST /api/v1/mcp/configs/a%2Fb/restore?hive=default",
  ]);
  const conditions = sent.map(({ headers }) => headers.get("if-match") ?? headers.get("if-none-match"));
  expect(conditions).toEqual([null, "*", '"7"', '"8"', "*"]);
  expect(sent.map(({ body }) => body).slice(1)).toEqual([
    ...[{ config: { command: "x" } }, { config: { command: "x" } }, null, { revision: 7 }],
  ]);
});

it("C2 U2 asks for the history of one server or of all, page by page, and for status and reload", async () => {
  const answer = json({ versions: [], more: false });
  const { gateway, sent } = client(answer, answer, json({}), json({}), refused("config_invalid", 422));
  await gateway.configs.history();
  await gateway.configs.history({ name: "a", before: 9, limit: 2 });
  await gateway.configs.status();
  await gateway.configs.list();
  await expect(gateway.configs.reload()).rejects.toMatchObject({ code: "config_invalid" });
  expect(sent.map(({ method, path }) => `${method} ${path.slice("/api/v1/mcp".length)}`)).toEqual([
    ...["GET /history?hive=default", "GET /configs/a/history?hive=default&before=9&limit=2"],
    ...["GET /status?hive=default", "GET /configs?hive=default", "POST /reload?hive=default"],
  ]);
});
