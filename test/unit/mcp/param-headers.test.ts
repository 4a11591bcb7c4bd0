import { describe, expect, it } from "vitest";
import { ParamHeaders } from "../../../sidecar/mcp/wires/param-headers.ts";

const listed = (...tools: unknown[]) => ({ jsonrpc: "2.0", id: "1", result: { tools } });
const tool = (name: string, properties: object) => ({ name, inputSchema: { type: "object", properties } });

const region = { type: "string", "x-mcp-header": "Region" };

describe("arguments in headers", () => {
  it("T1 those that a tool names in its schema, at any depth, go into headers", () => {
    const headers = new ParamHeaders();
    const where = { type: "object", properties: { region, n: { type: "integer", "x-mcp-header": "N" } } };
    headers.learn(listed(tool("t", { where, other: { type: "string" } })));
    const args = { where: { region: "eu 1", n: 7 }, other: "x" };
    expect(headers.headersFor({ name: "t", arguments: args })).toEqual({
      "mcp-param-region": "eu 1",
      "mcp-param-n": "7",
    });
    expect(headers.headersFor({ name: "t", arguments: { where: null } })).toEqual({});
    expect(headers.headersFor({ name: "another", arguments: args })).toEqual({});
  });

  it.each([" x", "ü🐝", "a\r\nb: c", "", "=?base64?YQ==?="])("S8 %j cannot be a header as it is", (value) => {
    const headers = new ParamHeaders();
    headers.learn(listed(tool("t", { region })));
    const { "mcp-param-region": header = "" } = headers.headersFor({
      name: "t",
      arguments: { region: value },
    });
    const [, base64 = ""] = /^=\?base64\?([\w+/=]*)\?=$/.exec(header) ?? [];
    expect(Buffer.from(base64, "base64").toString()).toBe(value);
  });

  it("S8 a tool's list cannot name what is no header, and forgets what is no longer in it", () => {
    const headers = new ParamHeaders();
    const call = { name: "t", arguments: { region: "x" } };
    headers.learn(
      listed(tool("t", { region: { ...region, "x-mcp-header": "a: b\r\nc" } }), null, { name: 7 }),
    );
    expect(headers.headersFor(call)).toEqual({});
    headers.learn(listed(tool("t", { region })));
    expect(headers.headersFor(call)).toEqual({ "mcp-param-region": "x" });
    headers.learn(listed(tool("t", {})));
    headers.learn({ result: { tools: "none" } });
    expect(headers.headersFor(call)).toEqual({});
  });
});
