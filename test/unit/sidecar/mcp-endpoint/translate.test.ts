import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import { neededFor, offers } from "../../../../sidecar/mcp/endpoint/capabilities.ts";
import { fulfilled } from "../../../../sidecar/mcp/endpoint/translate/fulfil.ts";
import { isLower, isWanted } from "../../../../sidecar/mcp/endpoint/translate/log-level.ts";
import {
  discoverResult,
  legacyRequest,
  modernAnswer,
  urlElicitations,
} from "../../../../sidecar/mcp/endpoint/translate/to-legacy.ts";
import { legacyAnswer, modernRequest } from "../../../../sidecar/mcp/endpoint/translate/to-modern.ts";
import type { ServerInfo } from "../../../../sidecar/mcp/upstream.ts";

const KEY = "io.modelcontextprotocol/";
const info: ServerInfo = {
  era: "2025",
  protocolVersion: "2025-11-25",
  capabilities: { tools: {}, tasks: { list: {} } },
  serverInfo: { name: "s", version: "1" },
  instructions: null,
};
const client = { capabilities: { roots: {} }, clientInfo: { name: "c", version: "1" }, logLevel: null };

const ours = new Set(["_meta", "inputResponses", "requestState", "resultType", "ttlMs", "cacheScope"]);
const fields = fc.dictionary(
  fc.string().filter((name) => !ours.has(name) && name !== "__proto__"),
  fc.jsonValue(),
);
const requests = fc.record({ method: fc.constant("tools/call"), params: fields });

describe("a request in the words of the other era", () => {
  it("T1 says the same when it comes back, whatever it says", () => {
    fc.assert(
      fc.property(requests, fields, (request, meta) => {
        const plain = { ...request, params: { ...request.params, _meta: { ...meta, progressToken: 1 } } };
        expect(legacyRequest(modernRequest(plain, client))).toEqual(plain);
        expect(legacyRequest(modernRequest(request, client))).toEqual(request);
      }),
    );
  });

  it("T1 tells a 2026 server who the client is and what it wants to hear", () => {
    const request = modernRequest({ method: "tools/list", params: {} }, { ...client, logLevel: "error" });
    expect(request.params._meta).toEqual({
      [`${KEY}protocolVersion`]: "2026-07-28",
      [`${KEY}clientInfo`]: client.clientInfo,
      [`${KEY}clientCapabilities`]: { roots: {} },
      [`${KEY}logLevel`]: "error",
    });
    expect(modernRequest({ method: "x", params: {} }, client).params._meta).not.toHaveProperty(
      `${KEY}logLevel`,
    );
  });
});

describe("an answer in the words of the other era", () => {
  it("T1 keeps every field that the other era knows or does not know", () => {
    fc.assert(
      fc.property(fields, (result) => {
        const modern = modernAnswer("prompts/get", { result }, info);
        expect(modern).toEqual({
          result: { ...result, resultType: "complete", _meta: { [`${KEY}serverInfo`]: info.serverInfo } },
        });
        const legacy = legacyAnswer("prompts/get", modern);
        expect(legacy).toEqual({ result: { ...result, _meta: { [`${KEY}serverInfo`]: info.serverInfo } } });
      }),
    );
  });

  it("T1 T3 says of a 2025 server's lists and resources that they may not be kept, unless it says more", () => {
    const hints = (method: string, result = {}) => modernAnswer(method, { result }, info);
    for (const method of [
      "tools/list",
      "prompts/list",
      "resources/list",
      "resources/templates/list",
      "resources/read",
    ])
      expect(hints(method)).toMatchObject({ result: { ttlMs: 0, cacheScope: "private" } });
    expect(hints("tools/list", { ttlMs: 9 })).toMatchObject({ result: { ttlMs: 9 } });
    expect(hints("tools/call")).not.toHaveProperty("result.ttlMs");
  });

  it("T1 offers to a 2026 client what a 2025 server offers, but tasks, which are not the same", () => {
    expect(discoverResult(info)).toEqual({
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      ttlMs: 0,
      cacheScope: "private",
      _meta: { [`${KEY}serverInfo`]: info.serverInfo },
    });
  });

  it("T1 has the code of its era where a resource is not found", () => {
    const error = { code: -32002, message: "none", data: { uri: "a:b" } };
    expect(modernAnswer("resources/read", { error }, info)).toEqual({ error: { ...error, code: -32602 } });
    expect(modernAnswer("resources/read", { error: { ...error, code: 7 } }, info)).toEqual({
      error: { ...error, code: 7 },
    });
  });

  it("T1 leaves out of a 2025 client's answer what would be no valid one", () => {
    const call = { result: { resultType: "complete", structuredContent: [1], content: [] } };
    expect(legacyAnswer("tools/call", call)).toEqual({ result: { content: [] } });
    const kept = { structuredContent: { a: 1 }, content: [] };
    expect(legacyAnswer("tools/call", { result: kept })).toEqual({ result: kept });
    const tools = [
      { name: "a", outputSchema: { type: "array" } },
      { name: "b", outputSchema: { type: "object" }, odd: 1 },
    ];
    expect(legacyAnswer("tools/list", { result: { tools } })).toEqual({
      result: { tools: [{ name: "a" }, tools[1]] },
    });
  });

  it("T1 asks a 2026 client to open what a 2025-11-25 server wants opened", () => {
    const elicitations = [{ mode: "url", url: "https://a.example", message: "Sign in" }];
    const error = { code: -32042, message: "sign in", data: { elicitations } };
    expect(urlElicitations({ error })).toEqual({
      "url-1": { method: "elicitation/create", params: elicitations[0] },
    });
    expect(urlElicitations({ error: { ...error, code: -1 } })).toBeNull();
    expect(urlElicitations({ error: { code: -32042, message: "sign in" } })).toBeNull();
  });
});

describe("what a client can be asked for", () => {
  const can = (capabilities: Record<string, unknown>, method: string, params = {}) =>
    offers(capabilities, neededFor({ method, params }));

  it("T1 is what it declared: forms unless it says otherwise, addresses and tools only if it says so", () => {
    expect(can({ elicitation: {} }, "elicitation/create")).toBe(true);
    expect(can({ elicitation: { form: {} } }, "elicitation/create")).toBe(true);
    expect(can({ elicitation: { url: {} } }, "elicitation/create")).toBe(false);
    expect(can({ elicitation: {} }, "elicitation/create", { mode: "url" })).toBe(false);
    expect(can({ elicitation: { url: {} } }, "elicitation/create", { mode: "url" })).toBe(true);
    expect(can({ sampling: {} }, "sampling/createMessage")).toBe(true);
    expect(can({ sampling: {} }, "sampling/createMessage", { tools: [] })).toBe(false);
    expect(can({ sampling: { tools: {} } }, "sampling/createMessage", { tools: [] })).toBe(true);
    expect(can({ roots: true }, "roots/list")).toBe(false);
    expect(can({ roots: {} }, "roots/list")).toBe(true);
    expect(can({ anything: {} }, "anything/else")).toBe(false);
  });
});

describe("log levels", () => {
  it("T1 are ordered as the protocol orders them", () => {
    const message = (level: string) => ({ method: "notifications/message", params: { level } });
    expect(isWanted(message("info"), "notice")).toBe(false);
    expect(isWanted(message("notice"), "notice")).toBe(true);
    expect(isWanted(message("odd"), "emergency")).toBe(true);
    expect(isWanted(message("emergency"), null)).toBe(false);
    expect(isWanted({ method: "notifications/progress", params: {} }, null)).toBe(true);
    const noText = { method: "notifications/message", params: { level: { toString: 1 } } };
    expect(isWanted(noText, "emergency")).toBe(true);
    expect([isLower("debug", "info"), isLower("info", "info"), isLower("error", null)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe("a 2026 server that wants more of a 2025 client", () => {
  const wants = (inputRequests: Record<string, McpRequest>, requestState?: string): McpAnswer => ({
    result: { resultType: "input_required", inputRequests, ...(requestState && { requestState }) },
  });
  const roots = { method: "roots/list", params: {} };
  const call = { method: "tools/call", params: { name: "a", _meta: { x: 1 } } };

  const play = async (answers: McpAnswer[], said: McpAnswer = { result: { roots: [] } }) => {
    const sent: McpRequest[] = [];
    const asked: McpRequest[] = [];
    const answer = await fulfilled(call, {
      capabilities: { roots: {} },
      exchange: async (request) => {
        sent.push(request);
        return answers[Math.min(sent.length, answers.length) - 1] ?? { result: {} };
      },
      ask: async (request) => {
        asked.push(request);
        return said;
      },
    });
    return { answer, sent, asked };
  };

  it("T1 gets it, with its own state, until it has enough", async () => {
    const done = { result: { resultType: "complete", content: [] } };
    const { answer, sent, asked } = await play([
      wants({ one: roots, two: roots }, "s1"),
      wants({ three: roots }),
      done,
    ]);
    expect(answer).toEqual(done);
    expect(asked).toEqual([roots, roots, roots]);
    expect(sent.map(({ params }) => params)).toEqual([
      call.params,
      { ...call.params, inputResponses: { one: { roots: [] }, two: { roots: [] } }, requestState: "s1" },
      { ...call.params, inputResponses: { three: { roots: [] } } },
    ]);
  });

  it("T1 is not answered for what the client does not offer, and its call fails", async () => {
    const { answer, asked } = await play([
      wants({ one: roots, two: { method: "elicitation/create", params: {} } }),
    ]);
    expect(asked).toEqual([]);
    expect(answer).toMatchObject({ error: { data: { code: "mcp_failed" } } });
  });

  it("T1 ends with the client's own error, and does not ask for ever", async () => {
    const error = { error: { code: -1, message: "I will not" } };
    expect((await play([wants({ one: roots })], error)).answer).toEqual(error);
    const { answer, sent } = await play([wants({ one: roots })]);
    expect(answer).toMatchObject({ error: { data: { code: "mcp_failed" } } });
    expect(sent).toHaveLength(LIMITS.mcpInputRounds + 1);
  });
});
