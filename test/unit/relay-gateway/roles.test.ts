import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { DEFAULT_ROLES, type Role, rightsOf } from "../../../worker/relay/roles.ts";

type Identity = Parameters<typeof rightsOf>[0];
const everything: Identity = { permissions: [...ALL_PERMISSIONS], scope: {} };
const reader: Identity = { permissions: ["relay:read"], scope: {} };

const rightsWith = (rules: Partial<Role>) =>
  rightsOf({ ...everything, role: "own" }, "shared", {
    ...DEFAULT_ROLES,
    own: { send: [], receive: [], dedicated: false, ...rules },
  });

function refusal(identity: Identity, mode: "shared" | "dedicated" = "shared"): string | null {
  try {
    rightsOf(identity, mode, DEFAULT_ROLES);
    return null;
  } catch (error) {
    return error instanceof HivegateError ? `${error.code}: ${error.message}` : "another error";
  }
}

describe("who may use the relay", () => {
  it("R5 S8 needs relay:read, no scope, and a role that is known", () => {
    expect(refusal(everything)).toBeNull();
    expect(refusal({ ...everything, scope: { swarm_ids: undefined } })).toBeNull();
    expect(refusal({ ...everything, permissions: ["relay:write"] })).toMatch(
      /^forbidden: .*lacks relay:read/,
    );
    expect(refusal({ ...everything, scope: { swarm_ids: ["s1"] } })).toMatch(/^forbidden: .*scope/);
    expect(refusal({ ...everything, role: "auditor" })).toMatch(/^forbidden: .*role is not known/);
    expect(refusal({ ...everything, role: "toString" })).toMatch(/^forbidden: .*role is not known/);
  });

  it("R5 makes whoever lacks relay:write a viewer, whatever the token's role", () => {
    expect(rightsOf({ ...reader, role: "operator" }, "shared", DEFAULT_ROLES).role).toBe("viewer");
    expect(rightsOf({ ...everything, role: "viewer" }, "shared", DEFAULT_ROLES).role).toBe("viewer");
    expect(rightsOf(everything, "shared", DEFAULT_ROLES).role).toBe("operator");
  });

  it("R3 R5 gives a connection of its own only to a role that may have one", () => {
    expect(refusal(everything, "dedicated")).toBeNull();
    expect(refusal(reader, "dedicated")).toMatch(/^forbidden: .*mode=shared/);
  });
});

describe("what a role may send and receive", () => {
  it("R5 lets viewers look and operators do anything", () => {
    const viewer = rightsOf(reader, "shared", DEFAULT_ROLES);
    const may = [
      "ping",
      "initialize",
      "tools/list",
      "tools/call:swarm_status",
      "list_swarms",
      "get_status",
      "ack",
    ];
    const mayNot = ["tools/call:agent_spawn", "tools/call", "create_task", "stop_task", "response", "", "*"];
    expect(may.filter((name) => !viewer.maySend(name))).toEqual([]);
    expect(mayNot.filter(viewer.maySend)).toEqual([]);
    expect([
      viewer.mayReceive("notifications/progress"),
      viewer.mayReceive("sampling/createMessage"),
    ]).toEqual([...[true, false]]);
    expect([viewer.receivesAll, rightsOf(everything, "shared", DEFAULT_ROLES).receivesAll]).toEqual([
      false,
      true,
    ]);
  });

  it("R5 takes a tool's call by its name or by its method, and nothing in a pattern but * for special", () => {
    const { maySend } = rightsWith({ send: ["tools/call:agent.*", "a+b", "*/list"] });
    expect(
      ["tools/call:agent.spawn", "a+b", "tools/list", "x\n/list"].filter((name) => !maySend(name)),
    ).toEqual([]);
    expect(["tools/call:agent_spawn", "aab", "tools/list2", "tools/call"].filter(maySend)).toEqual([]);
    expect(rightsWith({ send: ["tools/call"] }).maySend("tools/call:agent_spawn")).toBe(true);
  });

  it("R5 S6 fits patterns as expressions would, without trying all places, and no name of any length", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1 });
    const name = fc.string({ unit: fc.constantFrom("a", "b") });
    fc.assert(
      fc.property(text, name, (pattern, given) => {
        const expression = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
        expect(rightsWith({ send: [pattern] }).maySend(given)).toBe(expression.test(given));
      }),
    );
    const { maySend } = rightsWith({ send: ["a*"] });
    expect([maySend("a".repeat(200)), maySend("a".repeat(201))]).toEqual([true, false]);
  });

  it("R5 lets a role that may send nothing still keep its session", () => {
    const { maySend, mayReceive } = rightsWith({});
    expect(
      ["ping", "heartbeat", "ack", "refresh_token", "get_session"].filter((name) => !maySend(name)),
    ).toEqual([]);
    expect([maySend("tools/list"), mayReceive("ping")]).toEqual([false, false]);
  });
});
