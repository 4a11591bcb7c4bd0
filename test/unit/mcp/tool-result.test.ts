import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { toolData } from "../../../sidecar/mcp/tool-result.ts";

const text = (...texts: string[]) => ({ content: texts.map((text) => ({ type: "text", text })) });

function failureOf(result: unknown): HivegateError {
  try {
    toolData(result);
  } catch (error) {
    if (error instanceof HivegateError) return error;
  }
  throw new Error("it did not fail as it should");
}

describe("the data in a tool's answer", () => {
  it("H2 structured content comes before the text", () => {
    expect(toolData({ ...text('{"from":"text"}'), structuredContent: { from: "structure" } })).toEqual({
      from: "structure",
    });
  });

  it("H2 any JSON in the first text comes out as it went in", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        fc.pre(!(typeof data === "object" && data !== null && "success" in data));
        expect(toolData(text(JSON.stringify(data, null, 2), "another text"))).toEqual(
          JSON.parse(JSON.stringify(data)),
        );
      }),
    );
  });

  it("H2 a text that is not JSON is the data itself", () => {
    expect(toolData(text("Swarm is running"))).toBe("Swarm is running");
  });

  it("H2 an answer without a text has no data", () => {
    expect(toolData({ content: [{ type: "image", data: "…" }] })).toBeNull();
  });

  it("T8 isError is an error, whose words stay in the cause", () => {
    const error = failureOf({ ...text("cannot open /secret/path"), isError: true });
    expect(error.code).toBe("mcp_failed");
    expect(error.message).not.toContain("/secret/path");
    expect(String(error.cause)).toContain("/secret/path");
  });

  it("T8 success:false inside a normal result is an error", () => {
    const error = failureOf(text('{"success":false,"error":"type: Required"}'));
    expect(error.code).toBe("mcp_failed");
    expect(String(error.cause)).toContain("type: Required");
    expect(failureOf(text('{"success":false,"error":{"toString":1}}')).code).toBe("mcp_failed");
  });

  it("T8 what claude-flow 2 says of a tool that it does not have is an error", () => {
    const data = { success: true, tool: "no_such", message: "Tool no_such executed successfully", args: {} };
    expect(failureOf(text(JSON.stringify(data))).code).toBe("mcp_failed");
    expect(toolData(text(JSON.stringify({ ...data, message: "done" })))).toMatchObject({ message: "done" });
  });

  it.each([undefined, null, 3, {}, { content: "text" }])("T8 %j is not a tool's answer", (result) => {
    expect(failureOf(result).code).toBe("mcp_failed");
  });
});
