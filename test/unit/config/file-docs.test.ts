import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { mcpFileSchema } from "../../../sidecar/config/file/json-schema.ts";
import { McpFile, SHAPES } from "../../../sidecar/config/file/schema.ts";
import { configReference } from "../../support/config-reference.ts";

const published = (name: string) =>
  readFileSync(new URL(`../../../docs/config/${name}`, import.meta.url), "utf8");

describe("what is published of .mcp.json", () => {
  it("U5 is what the sidecar reads: npm run docs", () => {
    expect(JSON.parse(published("mcp.schema.json"))).toEqual(mcpFileSchema());
    expect(published("REFERENCE.md")).toBe(configReference());
  });

  it("U5 says something of every field", () => {
    const fields = Object.values(SHAPES).flatMap(({ shape }) => Object.entries(shape));
    const undescribed = fields.filter(([, field]) => !z.toJSONSchema(field, { io: "input" }).description);
    expect(undescribed.map(([name]) => name)).toEqual([]);
    for (const name of new Set(fields.map(([field]) => field)))
      if (name !== "type") expect(configReference()).toContain(`| \`${name}\` | `);
  });

  it("C1 has an example that fits the schema", () => {
    expect(McpFile.safeParse(JSON.parse(published("mcp.example.json"))).error).toBeUndefined();
  });
});
