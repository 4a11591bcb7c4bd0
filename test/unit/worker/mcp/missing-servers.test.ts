import { describe, expect, it } from "vitest";
import type { Permission } from "../../../../shared/auth/permission.ts";
import { UNAVAILABLE_META } from "../../../../shared/protocol/tools.ts";
import { accessOf } from "../../../../worker/mcp/access.ts";
import { seenList } from "../../../../worker/mcp/lists.ts";

const seenBy = (...permissions: Permission[]) => {
  const access = accessOf({ subject: "ada", permissions }, []);
  const result = { tools: [], _meta: { own: 1, [UNAVAILABLE_META]: ["a", "b"] } };
  return seenList("tools/list", result, { server: null, access, added: [] })._meta;
};

describe("servers that are missing from a list", () => {
  it("S8 are named to those alone who may use them", () => {
    expect(seenBy("tools:call")).toEqual({ own: 1, [UNAVAILABLE_META]: ["a", "b"] });
    expect(seenBy("tools:call:b__x")).toEqual({ own: 1, [UNAVAILABLE_META]: ["b"] });
    expect(seenBy("resources:read:c")).toEqual({ own: 1 });
  });
});
