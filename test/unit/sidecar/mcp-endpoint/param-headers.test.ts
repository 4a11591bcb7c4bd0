import { describe, expect, it } from "vitest";
import { OWN_CALL_HEADER } from "../../../../shared/protocol/tools.ts";
import { mirroredIn } from "../../../../sidecar/mcp/mirrored-arguments.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { jsonOf, modern } from "../../../support/mcp-messages.ts";
import { send, setUp } from "./setup.ts";

const MIRRORED = mirroredIn({
  type: "object",
  properties: { region: { type: "string", "x-mcp-header": "Region" }, level: { type: "integer" } },
});

describe.each(["2025", "2026"] as const)("a call's arguments in headers, for a server of %s", (era) => {
  const called = async (args: Record<string, unknown>, headers: Record<string, string>) => {
    const upstream = new FakeUpstream(era, () => ({ result: { content: [] } }));
    const setup = setUp(upstream, { mirrored: (_, tool) => (tool === "where" ? MIRRORED : []) });
    const request = modern("tools/call", { name: "where", arguments: args });
    const response = await send(setup, { ...request, headers: { ...request.headers, ...headers } });
    return { response, reached: upstream.asked.length };
  };

  it.each([
    ["the same", { region: "eu" }, { "mcp-param-region": "eu" }],
    ["the same, encoded", { region: "zü" }, { "mcp-param-region": "=?base64?esO8?=" }],
    ["neither", { level: 1 }, {}],
    ["a header alone", { level: 1 }, { "mcp-param-region": "eu" }],
    ["a call of the gateway's own", { region: "eu" }, { [OWN_CALL_HEADER]: "1" }],
  ])("T1 takes %s", async (_, args, headers) => {
    const { response, reached } = await called(args, headers);
    expect([response.status, reached]).toEqual([200, 1]);
  });

  it.each([
    ["another value", { "mcp-param-region": "us" }],
    ["no header", {}],
    ["what is no Base64", { "mcp-param-region": "=?base64?e!?=" }],
    ["Base64 without its padding", { "mcp-param-region": "=?base64?ZXU?=" }],
  ])("T1 S8 refuses %s, and asks the server nothing", async (_, headers) => {
    const { response, reached } = await called({ region: "eu" }, headers);
    expect([response.status, reached]).toEqual([400, 0]);
    const { error } = await jsonOf(response);
    expect(error.code).toBe(-32020);
    expect(error.message).toContain("mcp-param-region");
  });
});
