import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { EventStream, KeepAlive } from "../../../../sidecar/mcp/endpoint/event-stream.ts";
import { OpenRequests } from "../../../../sidecar/mcp/endpoint/open-requests.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function open() {
  const clock = new ManualClock();
  const pulse = new KeepAlive(clock, new OpenRequests());
  const stream = new EventStream(pulse, "alice");
  let gone = 0;
  stream.onGone = () => gone++;
  return { clock, pulse, stream, reader: stream.body.getReader(), gone: () => gone };
}

const textOf = ({ value }: { value?: Uint8Array | undefined }): string => new TextDecoder().decode(value);

describe("a stream of events", () => {
  it("T1 says something now and then, and nothing more once it is over", async () => {
    const { clock, pulse, stream, reader, gone } = open();
    clock.advance(2 * LIMITS.mcpKeepAliveMs);
    expect(textOf(await reader.read())).toBe(":\n\n");
    expect(textOf(await reader.read())).toBe(":\n\n");
    stream.end();
    stream.write("late");
    expect((await reader.read()).done).toBe(true);
    expect([pulse.size, clock.waiting, gone()]).toEqual([0, 0, 0]);
  });

  it("S6 ends when its reader leaves too much unread, but not because of one large message", async () => {
    const { clock, stream, reader, gone } = open();
    const large = "x".repeat(LIMITS.mcpStreamUnreadBytes + 1);
    stream.write(large);
    expect(textOf(await reader.read())).toBe(large);
    stream.write(large);
    stream.write("one more");
    expect([stream.isOpen, gone(), clock.waiting]).toEqual([false, 1, 0]);
    await expect(reader.read()).rejects.toThrow("too slowly");
  });

  it("T1 tells that its reader has left, once", async () => {
    const { clock, stream, reader, gone } = open();
    await reader.cancel();
    stream.end();
    expect([stream.isOpen, gone(), clock.waiting]).toEqual([false, 1, 0]);
  });
});
