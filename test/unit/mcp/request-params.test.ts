import { describe, expect, it } from "vitest";
import { paramsFor, progressTokenIn } from "../../../sidecar/mcp/request-params.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const trace = undefined;

describe("a request's parameters on their way to the server", () => {
  it("T1 are the very same where nothing has to be added", () => {
    const params = { name: "t", arguments: {}, _meta: { own: 1 } };
    expect(paramsFor("id", params, { era: "2025", trace })).toBe(params);
    const modern = { name: "t", _meta: { [VERSION]: "2026-07-28" } };
    expect(paramsFor("id", modern, { era: "2026", trace })).toBe(modern);
  });

  it("T5 call progress by the request's own id, since two clients may have called it the same", () => {
    const params = { name: "t", _meta: { progressToken: 7, own: 1 } };
    expect(progressTokenIn(params)).toBe(7);
    expect(paramsFor("id", params, { era: "2025", trace })).toEqual({
      name: "t",
      _meta: { progressToken: "id", own: 1 },
    });
    expect(params._meta.progressToken).toBe(7);
  });

  it("T1 have the envelope of 2026, in which what the client says of itself comes first", () => {
    expect(paramsFor("id", {}, { era: "2026", trace })).toMatchObject({ _meta: { [VERSION]: "2026-07-28" } });
    const said = { "io.modelcontextprotocol/clientInfo": { name: "mine", version: "1" } };
    expect(paramsFor("id", { _meta: said }, { era: "2026", trace })).toMatchObject({
      _meta: { [VERSION]: "2026-07-28", ...said },
    });
  });

  it("T9 carry the trace", () => {
    expect(paramsFor("id", {}, { era: "2025", trace: { traceparent: "p", tracestate: "s" } })).toEqual({
      _meta: { traceparent: "p", tracestate: "s" },
    });
    expect(paramsFor("id", {}, { era: "2025", trace: { traceparent: "p" } })).toEqual({
      _meta: { traceparent: "p" },
    });
  });
});
