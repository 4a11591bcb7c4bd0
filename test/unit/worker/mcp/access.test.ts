import { describe, expect, it } from "vitest";
import type { Permission } from "../../../../shared/auth/permission.ts";
import { Permission as PermissionSchema } from "../../../../shared/auth/permission.ts";
import { accessOf } from "../../../../worker/mcp/access.ts";
import { Rules } from "../../../../worker/mcp/rules.ts";

const ALL: Permission[] = ["tools:call", "resources:read", "prompts:get"];
const access = (
  permissions: Permission[],
  rules: unknown[] = [],
  who: { subject?: string; role?: string } = {},
) => accessOf({ subject: "alice", ...who, permissions }, Rules.parse({ access: rules }).access);

describe("what a token lets its holder use", () => {
  it("T6 is all of a kind, or what fits a pattern over full names", () => {
    expect(access(ALL)).toMatchObject({ any: true, all: true });
    const some = access(["tools:call:claude-flow__agent_*", "prompts:get:*__help", "resources:read:files"]);
    expect(some).toMatchObject({ any: true, all: false });
    expect(some.tool("claude-flow", "agent_list")).toBe(true);
    expect(some.tool("claude-flow", "task_list")).toBe(false);
    expect(some.tool("claude-flow2", "agent_list")).toBe(false);
    expect(some.prompt("any", "help")).toBe(true);
    expect(some.prompt("any", "other")).toBe(false);
    expect([some.resources("files"), some.resources("other"), some.resources(null)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("T6 shows a server where something of it may be used", () => {
    const some = access(["tools:call:claude-flow__agent_*", "resources:read:files"]);
    expect(["claude-flow", "files", "claude", "other"].map(some.server)).toEqual([true, true, false, false]);
    expect(access(["tools:call:*_list"]).server("anything")).toBe(true);
    expect(access(["prompts:get:a__b"]).server("a")).toBe(true);
  });

  it("T6 is nothing without one of these permissions, and tasks:write is none of them", () => {
    expect(access(["tasks:write", "metrics:read"])).toMatchObject({ any: false, all: false });
  });

  it.each([
    ["tools:call:", false],
    ["tools:call:a b", false],
    ["tools:call:a,b", false],
    ["tools:call:__", true],
    ["tools:call:a__b__c", true],
    ["tools:callx", false],
    ["Tools:call", false],
    ["tools:call\n", false],
    [`tools:call:${"x".repeat(201)}`, false],
  ])("T6 has permissions of a strict shape: %j is one: %j", (permission, isOne) => {
    expect(PermissionSchema.safeParse(permission).success).toBe(isOne);
  });

  it("T6 takes two underscores where they first stand for the end of a server's name", () => {
    const some = access(["tools:call:a__*"]);
    expect(some.tool("a", "_x")).toBe(true);
    expect(some.tool("a", "b__c")).toBe(true);
    expect(some.tool("a__b", "c")).toBe(true);
    expect(some.tool("b", "a__c")).toBe(false);
  });
});

describe("rules about tools", () => {
  it("T6 decide by the first that fits, for those that they are about", () => {
    const rules = [
      { effect: "allow", subjects: ["admin-*"] },
      { effect: "allow", tools: ["demo__look"] },
      { effect: "deny", roles: ["viewer"], tools: ["*"] },
      { effect: "deny", servers: ["demo"] },
    ];
    const alice = access(ALL, rules);
    expect([alice.tool("demo", "look"), alice.tool("demo", "change"), alice.tool("other", "x")]).toEqual([
      ...[true, false, true],
    ]);
    expect([alice.prompt("demo", "p"), alice.resources("demo"), alice.resources("other")]).toEqual([
      ...[false, false, true],
    ]);
    expect([alice.server("demo"), alice.all, alice.resources(null)]).toEqual([true, false, false]);
    const admin = access(ALL, rules, { subject: "admin-1" });
    expect([admin.tool("demo", "change"), admin.prompt("demo", "p")]).toEqual([true, true]);
    const viewer = access(ALL, rules, { role: "viewer" });
    expect([viewer.tool("other", "x"), viewer.prompt("other", "p"), viewer.tool("demo", "look")]).toEqual([
      ...[false, true, true],
    ]);
  });

  it("T6 hide a server of which they leave nothing, and allow nothing that a token does not", () => {
    const denied = access(ALL, [{ effect: "deny", servers: ["demo"] }]);
    expect([denied.server("demo"), denied.server("other")]).toEqual([false, true]);
    const allowed = access(["tools:call:a__*"], [{ effect: "allow" }]);
    expect([allowed.tool("b", "x"), allowed.server("b")]).toEqual([false, false]);
  });

  it.each([
    [{ access: [{ effect: "maybe" }] }],
    [{ access: [{ effect: "deny", tool: ["a"] }] }],
    [{ rates: [{ tools: ["*"], burst: 1 }] }],
    [{ rates: [{ tools: ["*"], burst: 1, perSecond: 1, perMinute: 1 }] }],
    [{ sizes: [{ tools: ["*"], argumentBytes: 0 }] }],
    [{ rule: [] }],
  ])("T6 are refused when they do not say what they mean: %j", (rules) => {
    expect(Rules.safeParse(rules).success).toBe(false);
  });
});
