import { describe, expect, it } from "vitest";
import type { Identity } from "../../../../shared/auth/permission.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { Policy } from "../../../../worker/mcp/policy.ts";
import { Rules } from "../../../../worker/mcp/rules.ts";
import { ToolRate } from "../../../../worker/mcp/tool-rate.ts";

const identity = (more: Partial<Identity> = {}): Identity => ({
  ...{ subject: "alice", hives: ["*"], permissions: ["tools:call"], scope: {}, expiresMs: 1e15 },
  ...more,
});
const policyOf = (rules: object, requestsPerSecond = 100) =>
  new Policy({ rules: Rules.parse(rules), requestsPerSecond });
const call = (tool: string, argumentBytes = 2) => ({ server: "demo", tool, argumentBytes });

describe("the policy of tools", () => {
  it("T7 limits how often each client may call each tool, and says when to come back", () => {
    const policy = policyOf({ rates: [{ tools: ["demo__a*"], perMinute: 6, burst: 2 }] });
    const alice = identity();
    for (const tool of ["a", "a", "ab", "ab"]) policy.takeCall(alice, call(tool), 0);
    expect(() => policy.takeCall(alice, call("a"), 0)).toThrow(
      expect.objectContaining({ code: "rate_limited", retryAfterMs: 10_000 }),
    );
    policy.takeCall(alice, call("other"), 0);
    policy.takeCall(identity({ subject: "bob" }), call("a"), 0);
    policy.takeCall(alice, call("a"), 10_000);
  });

  it("S6 T7 lets nobody call a tool more often by making up names", () => {
    const policy = policyOf({ rates: [{ tools: ["demo__*"], perMinute: 1, burst: 1 }] });
    const calls = (subject: string, tool: string, nowMs: number) => {
      try {
        policy.takeCall(identity({ subject }), call(tool), nowMs);
        return 1;
      } catch {
        return 0;
      }
    };
    const alices = calls("alice", "dear", 0);
    let mallorys = 0;
    for (let halfMinute = 0; halfMinute < 4; halfMinute++) {
      const nowMs = halfMinute * 30_000;
      mallorys += calls("mallory", "dear", nowMs);
      for (let n = 0; n < LIMITS.ratedTools + 10; n++) calls("mallory", `${halfMinute}-${n}`, nowMs);
      mallorys += calls("mallory", "dear", nowMs);
    }
    expect([alices, calls("alice", "dear", 30_000)]).toEqual([1, 0]);
    expect(mallorys).toBeLessThanOrEqual(2);
    // What is full again makes room: a tool of its own counts by itself.
    expect(calls("mallory", "new", 3_600_000) + calls("mallory", "newer", 3_600_000)).toBe(2);
  });

  it("S6 T7 remembers rates within a limit: who was silent longest is forgotten first", () => {
    const rate = new ToolRate({ burst: 1, perSecond: 0.01 });
    const isTaken = (subject: string, tool: string): boolean => {
      try {
        rate.take(subject, tool, 0);
        return true;
      } catch {
        return false;
      }
    };
    const clients = LIMITS.ratedTools / LIMITS.ratedToolsPerClient;
    expect([isTaken("silent", "a"), isTaken("alice", "a"), isTaken("silent", "a")]).toEqual([
      true,
      true,
      false,
    ]);
    for (let client = 0; client < clients; client++) {
      for (let tool = 0; tool < LIMITS.ratedToolsPerClient; tool++) isTaken(`${client}`, `${tool}`);
      expect(isTaken("alice", "a"), `${client}`).toBe(false);
    }
    expect(isTaken("silent", "a")).toBe(true);
  });

  it("S8 T6 knows no tool of a name that patterns are not made for", () => {
    const long = "x".repeat(LIMITS.toolNameChars + 1);
    const policy = policyOf({ access: [{ effect: "deny", tools: ["files__*"] }] });
    for (const [server, tool] of [["demo", long] as const, [long, "a"] as const, ["files", "a"] as const])
      expect(() => policy.takeCall(identity(), { server, tool, argumentBytes: 2 }, 0)).toThrow(
        expect.objectContaining({ code: "unknown_tool" }),
      );
    const all = ["tools:call" as const, "prompts:get" as const, "resources:read" as const];
    const access = policyOf({}).access(identity({ permissions: all }));
    expect([access.prompt("demo", long), access.resources(long), access.server(long)]).toEqual([
      ...[false, false, false],
    ]);
    policy.takeCall(identity(), call(long.slice(1)), 0);
  });

  it("T7 limits what a client asks in all", () => {
    const policy = policyOf({}, 2);
    for (let n = 0; n < 4; n++) policy.takeRequest(identity(), 0);
    expect(() => policy.takeRequest(identity(), 0)).toThrow(
      expect.objectContaining({ code: "rate_limited", retryAfterMs: 500 }),
    );
  });

  it("S8 limits the arguments of tools, by the first rule that fits", () => {
    const policy = policyOf({
      sizes: [
        { tools: ["demo__big"], argumentBytes: 1_000 },
        { tools: ["*"], argumentBytes: 10 },
      ],
    });
    expect(policy.hasSizes).toBe(true);
    policy.takeCall(identity(), call("big", 1_000), 0);
    for (const [tool, bytes] of [["big", 1_001] as const, ["other", 11] as const])
      expect(() => policy.takeCall(identity(), call(tool, bytes), 0)).toThrow(
        expect.objectContaining({ code: "body_too_large" }),
      );
    expect(() => policyOf({}).takeCall(identity(), call("a", LIMITS.requestBodyBytes + 1), 0)).toThrow();
  });

  it("T6 knows nothing of a tool that a client may not call, and does not count it", () => {
    const policy = policyOf({ rates: [{ tools: ["*"], perSecond: 1, burst: 1 }] });
    const alice = identity({ permissions: ["tools:call:demo__a"] });
    expect(() => policy.takeCall(alice, call("b"), 0)).toThrow(
      expect.objectContaining({ code: "unknown_tool", message: "Unknown tool: b" }),
    );
    policy.takeCall(alice, call("a"), 0);
  });

  it("T6 S8 opens nothing to a token that shows a part of a hive, or allows nothing here", () => {
    const policy = policyOf({});
    for (const more of [{ scope: { swarm_ids: ["s"] } }, { permissions: ["tasks:write" as const] }])
      expect(() => policy.access(identity(more))).toThrow(expect.objectContaining({ code: "forbidden" }));
  });
});
