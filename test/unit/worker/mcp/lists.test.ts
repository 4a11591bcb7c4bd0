import { describe, expect, it } from "vitest";
import type { Permission } from "../../../../shared/auth/permission.ts";
import { accessOf } from "../../../../worker/mcp/access.ts";
import { seenText } from "../../../../worker/mcp/lists.ts";

const seen = (method: string, answer: unknown, permissions: Permission[], server: string | null = null) =>
  JSON.parse(
    seenText(JSON.stringify(answer), method, {
      ...{ server, added: [] },
      access: accessOf({ subject: "alice", permissions }, []),
    }),
  );
const list = (field: string, names: unknown[]) => ({
  ...{ jsonrpc: "2.0", id: 1 },
  result: { [field]: names.map((name) => ({ name })), nextCursor: "2", _meta: { a: 1 } },
});

describe("a list as one client sees it", () => {
  it("T6 keeps what else is said in it", () => {
    expect(seen("tools/list", list("tools", ["a__x", "b__x"]), ["tools:call:a__*"])).toEqual(
      list("tools", ["a__x"]),
    );
  });

  it("T6 leaves out what has no name that can be permitted", () => {
    const odd = list("tools", ["a__x", "x", "__x", "a__", 7, null]);
    expect(seen("tools/list", odd, ["tools:call:*x"])).toEqual(list("tools", ["a__x"]));
    expect(
      seen("tools/list", { ...odd, result: { tools: [null, "a__x", []] } }, ["tools:call:*x"]),
    ).toMatchObject({
      result: { tools: [] },
    });
  });

  it("T6 shows all servers' resources to a token that may read all of them, and none else", () => {
    const answer = list("resourceTemplates", ["one"]);
    const method = "resources/templates/list";
    expect(seen(method, answer, ["resources:read"])).toEqual(answer);
    expect(seen(method, answer, ["resources:read:a"])).toEqual(list("resourceTemplates", []));
    expect(seen(method, answer, ["resources:read:a"], "a")).toEqual(answer);
  });

  it("T6 leaves an error, and what is no list, as it is", () => {
    const error = { jsonrpc: "2.0", id: 1, error: { code: -32601, message: "no" } };
    expect(seen("tools/list", error, ["tools:call:a__*"])).toEqual(error);
    const none = { jsonrpc: "2.0", id: 1, result: { tools: "none" } };
    expect(seen("tools/list", none, ["tools:call:a__*"])).toEqual(none);
  });
});
