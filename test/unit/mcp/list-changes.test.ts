import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import { ListChanges, listenFor } from "../../../sidecar/mcp/list-changes.ts";
import type { ServerInfo } from "../../../sidecar/mcp/upstream.ts";

const info = (capabilities: object, era: "2025" | "2026" = "2026"): ServerInfo => ({
  ...{ era, protocolVersion: "2026-07-28", capabilities: { ...capabilities } },
  ...{ serverInfo: null, instructions: null },
});

describe("hearing of changes in a server's lists", () => {
  it("T2 a server is asked to tell of those that it says may change", () => {
    expect(
      listenFor(info({ tools: { listChanged: true }, prompts: {}, resources: { listChanged: true } })),
    ).toEqual({
      method: "subscriptions/listen",
      params: { notifications: { toolsListChanged: true, resourcesListChanged: true } },
    });
    expect(listenFor(info({ tools: {}, resources: { subscribe: true } }))).toBeNull();
    expect(listenFor(info({ tools: { listChanged: true } }, "2025"))).toBeNull();
  });

  it("T2 one whose stream ends is asked again, not too often, and changes may have been missed", async () => {
    const ends: ((answer: McpAnswer) => void)[] = [];
    const changes = new ListChanges(
      { method: "m", params: {} },
      () => new Promise((resolve) => ends.push(resolve)),
    );
    expect([changes.keep(0), changes.keep(LIMITS.mcpListenAgainMs), ends.length]).toEqual([false, false, 1]);
    ends[0]?.({ result: {} });
    await new Promise(setImmediate);
    expect([changes.keep(LIMITS.mcpListenAgainMs - 1), ends.length]).toEqual([false, 1]);
    expect([changes.keep(LIMITS.mcpListenAgainMs), ends.length]).toEqual([true, 2]);
  });

  it.each([
    [-32601, false],
    [-32602, false],
    [-32603, true],
    [-32000, true],
  ])("T2 one that answers %d is asked again: %s", async (code, isAskedAgain) => {
    let asked = 0;
    const changes = new ListChanges({ method: "m", params: {} }, async () => {
      asked++;
      return { error: { code, message: "no" } };
    });
    changes.keep(0);
    await new Promise(setImmediate);
    expect(changes.keep(10 * LIMITS.mcpListenAgainMs)).toBe(isAskedAgain);
    expect(asked).toBe(isAskedAgain ? 2 : 1);
  });
});
