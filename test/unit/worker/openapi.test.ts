import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import manifest from "../../../package.json" with { type: "json" };
import { OPERATIONS, openApi } from "../../../worker/openapi/document.ts";
import { edgeBefore } from "./edge-setup.ts";

/** Not of the interface: the page, what OAuth finds the endpoint by, and the endpoint's other names. */
const LEFT_OUT = [/^\/$/, /^\/\*$/, /^\/\.well-known\//, /^\/v1\/hives\/:hive\/mcp/];
const MCP = /^\/mcp(\/:server)?$/;

const published = (): unknown =>
  JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));

it("U5 tells of every route that the gateway has, and of no other", () => {
  const { app } = edgeBefore(async () => new Response());
  const routes = app.routes
    .filter(({ path }) => !LEFT_OUT.some((pattern) => pattern.test(path)))
    .flatMap(({ method, path }) =>
      MCP.test(path) ? ["GET", "POST", "DELETE"].map((each) => `${each} ${path}`) : [`${method} ${path}`],
    );
  const told = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect([...new Set(told)].sort()).toEqual([...new Set(routes)].sort());
  expect(told.length).toBe(new Set(told).size);
});

it("U5 names every operation by a name of its own", () => {
  const ids = [...JSON.stringify(openApi(manifest)).matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
  expect(ids.length).toBe(OPERATIONS.length);
  expect(new Set(ids).size).toBe(ids.length);
});

it("U5 refers to nothing that is not there", () => {
  const document = JSON.stringify(openApi(manifest));
  const { components } = Object(openApi(manifest));
  for (const [, part, name] of document.matchAll(/"#\/components\/(\w+)\/(\w+)"/g))
    expect(components[String(part)]).toHaveProperty(String(name));
  expect(document).not.toContain("$defs");
});

it("U5 is published as it is: npm run docs", () => {
  expect(published()).toEqual(JSON.parse(JSON.stringify(openApi(manifest))));
});
