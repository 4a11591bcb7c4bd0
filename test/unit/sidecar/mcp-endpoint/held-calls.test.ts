import { expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { HeldCalls } from "../../../../sidecar/mcp/endpoint/held-calls.ts";
import { OpenCall } from "../../../../sidecar/mcp/endpoint/open-call.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

it("S6 T1 holds calls that asked no more than there is room for in all, and makes room as they go on", () => {
  let ids = 0;
  const clock = new ManualClock();
  const held = new HeldCalls(clock, () => `state-${++ids}`);
  const request = { method: "tools/call", params: { name: "a", arguments: { text: "x".repeat(8_000_000) } } };
  const callOf = (client: string) =>
    new OpenCall({ client, server: "one", request }, held, {}, { progressToken: 1, hear() {}, settle() {} });
  while (held.hasRoom(callOf("next"))) held.hold(callOf(`client-${held.size}`));
  expect(held.size).toBe(Math.ceil(LIMITS.mcpHeldChars / 8_000_000));
  expect(held.resume("state-1", { client: "client-0", server: "one", request })).not.toBeNull();
  expect(held.hasRoom(callOf("next"))).toBe(true);
  clock.advance(LIMITS.mcpAskedMs);
  expect([held.size, held.hasRoom(callOf("next"))]).toEqual([0, true]);
});
