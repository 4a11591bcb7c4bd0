import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { keepingOf, lifetimeOf, type Target } from "../../../../worker/mcp/cache-rules.ts";
import { subjectOf } from "../../../../worker/mcp/message.ts";
import { aTool } from "./setup.ts";

const DEFAULT_MS = LIMITS.cachedAnswerMs;
const call = (tool: Partial<Parameters<typeof aTool>[0]>, era: Target["era"] = "2026"): Target => ({
  ...{ method: "tools/call", tool: aTool(tool), era },
});
const read = (era: Target["era"]): Target => ({ method: "resources/read", tool: null, era });
const content = { content: [] };

describe("what may be kept of answers", () => {
  it.each<[string, Target, ReturnType<typeof keepingOf>]>([
    ["a tool that only reads", call({ readOnly: true }), "always"],
    ["a tool that is configured so", call({ cacheable: true }), "always"],
    ["one that changes things, but is configured so", call({ cacheable: true, readOnly: false }), "always"],
    ["one that reads, but is configured not to be", call({ cacheable: false, readOnly: true }), "never"],
    ["one that changes things", call({ readOnly: false }), "never"],
    ["one that gives no hint", call({}), "if-said"],
    ["the same of a server that has no words for it", call({}, "2025"), "never"],
    ["a tool that is not known", { method: "tools/call", tool: null, era: "2026" }, "never"],
    ["a resource", read("2026"), "if-said"],
    ["a resource of a server that has no words for it", read("2025"), "never"],
    ["a resource of any server", read(null), "if-said"],
  ])("T3 knows beforehand of %s", (_, target, keeping) => {
    expect(keepingOf(target)).toBe(keeping);
  });

  it.each<[string, Target, Record<string, unknown>, ReturnType<typeof lifetimeOf>]>([
    ["five minutes by default", call({ readOnly: true }), content, { ttlMs: DEFAULT_MS, shared: false }],
    ["as long as it says", call({}), { ...content, ttlMs: 7 }, { ttlMs: 7, shared: false }],
    ["a day at most", read("2026"), { ttlMs: 1e12 }, { ttlMs: LIMITS.longestCachedAnswerMs, shared: false }],
    [
      "as long as configured, whatever it says",
      call({ cacheable: true, cacheTtlMs: 9 }),
      { ...content, ttlMs: 7 },
      { ttlMs: 9, shared: false },
    ],
    ["for all if it says so", read("2026"), { ttlMs: 7, cacheScope: "public" }, { ttlMs: 7, shared: true }],
    ["for one client otherwise", read("2026"), { ttlMs: 7, cacheScope: "any" }, { ttlMs: 7, shared: false }],
    ["not when it says nothing", call({}), content, null],
    ["not when it is old at once", call({ readOnly: true }), { ...content, ttlMs: 0 }, null],
    ["not a failure", call({ readOnly: true }), { ...content, isError: true }, null],
    ["not a question", call({ readOnly: true }), { resultType: "input_required" }, null],
    ["not when nothing may be", call({ readOnly: false }), { ...content, ttlMs: 7 }, null],
  ])("T3 keeps an answer %s", (_, target, result, lifetime) => {
    expect(lifetimeOf(target, result)).toEqual(lifetime);
  });

  it("T3 is about calls, prompts and resources alone", () => {
    expect(subjectOf("tools/call", { name: "a", uri: "b" })).toBe("a");
    expect(subjectOf("resources/read", { uri: "b" })).toBe("b");
    expect(subjectOf("tools/list", { name: "a" })).toBeNull();
    expect(subjectOf("tools/call", { name: 7 })).toBeNull();
  });
});
