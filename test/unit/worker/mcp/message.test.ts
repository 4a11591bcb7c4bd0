import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agreedVersion, encoded } from "../../../../worker/mcp/mcp-headers.ts";
import { parseMessage } from "../../../../worker/mcp/message.ts";

const parsed = (message: unknown) => parseMessage(new TextEncoder().encode(JSON.stringify(message)));
const META = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
const call = (name: string) =>
  parsed({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, _meta: META } });
const headers = (name: string, more: Record<string, string> = {}) =>
  new Headers({
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": name,
    ...more,
  });

describe("an MCP message", () => {
  it("T1 is a request, a notification or an answer", () => {
    expect(parsed({ jsonrpc: "2.0", id: "a", method: "ping" })).toEqual({
      ...{ kind: "request", id: "a", method: "ping", params: {} },
    });
    expect(parsed({ jsonrpc: "2.0", method: "notifications/x", params: { a: 1 } })).toMatchObject({
      ...{ kind: "notification", id: null, params: { a: 1 } },
    });
    expect(parsed({ jsonrpc: "2.0", id: 0, result: {} })).toMatchObject({
      kind: "answer",
      id: 0,
      method: "",
    });
  });

  it.each([
    [[{ jsonrpc: "2.0", id: 1, method: "ping" }]],
    [{ id: 1, method: "ping" }],
    [{ jsonrpc: "2.0", id: 1.5, method: "ping" }],
    [{ jsonrpc: "2.0", id: {}, method: "ping" }],
    [{ jsonrpc: "2.0", id: 1, method: "ping", params: [] }],
    [{ jsonrpc: "2.0", id: 1 }],
    [null],
  ])("T8 is refused when it is none: %j", (message) => {
    expect(() => parsed(message)).toThrow(expect.objectContaining({ code: "invalid_request" }));
  });

  it("S6 is refused when it is nested so deep that nobody could pass it on", () => {
    const deep = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}}`;
    expect(() => parseMessage(new TextEncoder().encode(deep))).toThrow(
      expect.objectContaining({ code: "invalid_json" }),
    );
  });

  it("S8 is one of our errors or a message, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          try {
            parseMessage(bytes);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: expect.stringMatching(/^invalid_(json|request)$/) });
          }
        },
      ),
    );
  });
});

describe("the headers of an MCP message", () => {
  it("T1 name what the message names, whatever its characters", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 20 }).filter((name) => name.isWellFormed()),
        (name) => {
          fc.pre(name !== "");
          expect(agreedVersion(call(name), headers(encoded(name)))).toBe("2026-07-28");
          expect(() => agreedVersion(call(name), headers(encoded(`${name}x`)))).toThrow(
            expect.objectContaining({ code: "header_mismatch" }),
          );
        },
      ),
    );
  });

  it("T1 say the revision where the message does not: up to 2025 alone", () => {
    const ping = parsed({ jsonrpc: "2.0", id: 1, method: "ping" });
    const version = (said: string) => agreedVersion(ping, new Headers({ "mcp-protocol-version": said }));
    expect(version("2025-11-25")).toBe("2025-11-25");
    expect(version("2026-07-28")).toBeNull();
    expect(agreedVersion(ping, new Headers())).toBeNull();
  });

  it("T1 are not wanted of a notification, but for the revision", () => {
    const told = parsed({ jsonrpc: "2.0", method: "notifications/x", params: { _meta: META } });
    expect(agreedVersion(told, new Headers({ "mcp-protocol-version": "2026-07-28" }))).toBe("2026-07-28");
    expect(() => agreedVersion(told, new Headers())).toThrow();
  });
});
