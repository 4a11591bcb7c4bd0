import { describe, expect, it } from "vitest";
import { CALL, edgeBefore, json } from "../edge-setup.ts";

const answering = () => {
  const asked: string[] = [];
  const edge = edgeBefore(async (url, { headers }) => {
    asked.push(url);
    return new Headers(headers) && json({ result: {} });
  });
  return { ...edge, asked };
};

describe("MCP's address at the gateway", () => {
  it("T6 T7 names who has a good token, but for another hive", async () => {
    const { post, remembered } = answering();
    const answer = await post("/mcp/demo", CALL, {}, { hives: ["other"] });
    expect(answer.status).toBe(404);
    expect(await remembered()).toMatchObject([{ client: "ada", outcome: "refused", code: "unknown_hive" }]);
  });

  it.each(["PUT", "PATCH", "PURGE"])("T1 T7 says of %s what may be sent instead", async (method) => {
    const { ask, remembered, asked } = answering();
    const answer = await ask("/mcp/demo", { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST, GET, DELETE"]);
    expect(await remembered()).toMatchObject([
      { client: "ada", outcome: "refused", code: "invalid_request" },
    ]);
    expect(asked).toEqual([]);
  });

  it.each([".", ".."])("S8 reaches nothing of the sidecar's under the name %s", async (name) => {
    const { post, asked } = answering();
    const answer = await post(`/v1/hives/default/tools/${name}__look`, {});
    expect(answer.status).toBe(404);
    expect(asked).toEqual([]);
  });

  it("T9 passes over a trace that no header can hold", async () => {
    const { post } = answering();
    const traceparent = `01-${"a".repeat(32)}-${"b".repeat(16)}-01-€`;
    const params = { ...CALL.params, _meta: { traceparent } };
    expect((await post("/mcp/demo", { ...CALL, params })).status).toBe(200);
  });
});
