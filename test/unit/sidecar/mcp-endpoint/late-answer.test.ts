import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { legacy, modern } from "../../../support/mcp-messages.ts";
import { initialize, type Setup, send, setUp } from "./setup.ts";

const CALL = { name: "slow", arguments: {} };
const RESULT = { content: [{ type: "text", text: "at last" }] };

/** A server that answers when it is told to, and hears when it is no longer waited for. */
function slow(era: "2025" | "2026") {
  const { promise, resolve } = Promise.withResolvers<McpAnswer>();
  const began = Promise.withResolvers<AbortSignal>();
  const upstream = new FakeUpstream(era, (_, { signal }) => {
    began.resolve(signal);
    return Promise.race([
      promise,
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ]);
  });
  const setup = setUp(upstream);
  return { setup, began: began.promise, answer: () => resolve({ result: RESULT }) };
}

/** What all who wait for an answer see after so long. */
const wait = ({ clock }: Setup) => clock.advance(2 * LIMITS.mcpKeepAliveMs);

describe("an answer that takes long", () => {
  it.each(["2025", "2026"] as const)("T1 is kept alive as a stream, and comes in it (%s)", async (era) => {
    const { setup, began, answer } = slow("2025");
    const message =
      era === "2026" ? modern("tools/call", CALL) : legacy(await initialize(setup), "tools/call", CALL);
    const asked = send(setup, message);
    await began;
    wait(setup);
    const response = await asked;
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    answer();
    const said = await response.text();
    expect(said).toContain(":\n\n");
    expect(said).toContain('"at last"');
    expect(setup.clock.waiting).toBe(era === "2026" ? 0 : 1);
  });

  it("T1 is plain JSON for a client that takes no streams, however long it takes", async () => {
    const { setup, began, answer } = slow("2025");
    const session = await initialize(setup);
    const message = legacy(session, "tools/call", CALL);
    const asked = send(setup, { ...message, headers: { ...message.headers, accept: "application/json" } });
    await began;
    wait(setup);
    answer();
    expect((await asked).headers.get("content-type")).toBe("application/json");
  });

  it("T1 is no longer waited for by the server once its reader has left", async () => {
    const { setup, began } = slow("2026");
    const asked = send(setup, modern("tools/call", CALL));
    const signal = await began;
    wait(setup);
    await (await asked).body?.cancel();
    expect(signal.aborted).toBe(true);
    expect(setup.clock.waiting).toBe(0);
  });

  it("S6 leaves no timer behind when it came in time", async () => {
    const { setup, began, answer } = slow("2026");
    const asked = send(setup, modern("tools/call", CALL));
    await began;
    expect(setup.clock.waiting).toBe(1);
    answer();
    expect((await asked).headers.get("content-type")).toBe("application/json");
    expect(setup.clock.waiting).toBe(0);
  });
});
