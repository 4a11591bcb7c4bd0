import { describe, expect, it } from "vitest";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { OUTCOME_COMMENT, OUTCOME_HEADER } from "../../../../shared/protocol/tools.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { legacy, modern } from "../../../support/mcp-messages.ts";
import { initialize, send, setUp } from "./setup.ts";

const META = { progressToken: 5 };

describe.each(["2025", "2026"] as const)("the outcome of a %s client's call", (era) => {
  const called = async (answer: McpAnswer, isStream: boolean) => {
    const setup = setUp(
      new FakeUpstream(era, (_, { onNotification }) => {
        if (isStream) onNotification?.({ method: "notifications/progress", params: META });
        return answer;
      }),
    );
    const call =
      era === "2026"
        ? modern("tools/call", { name: "add" }, { meta: META })
        : legacy(await initialize(setup), "tools/call", { name: "add", _meta: META });
    const response = await send(setup, call);
    const text = await response.text();
    return { header: response.headers.get(OUTCOME_HEADER), behind: OUTCOME_COMMENT.exec(text)?.[1] };
  };

  it.each<[McpAnswer, string | null]>([
    [{ result: { content: [] } }, null],
    [{ result: { content: [], isError: true } }, "tool"],
    [{ error: { code: -32603, message: "no" } }, "-32603"],
  ])("T7 T9 is told in the head, or behind a stream: %j", async (answer, outcome) => {
    expect(await called(answer, false)).toEqual({ header: outcome, behind: undefined });
    expect(await called(answer, true)).toEqual({ header: null, behind: outcome ?? undefined });
  });
});
