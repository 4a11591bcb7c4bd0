import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { readConfig } from "../../../worker/config.ts";
import { Gateway } from "../../../worker/gateway.ts";
import type { OpenSocket } from "../../../worker/host/deno/client-socket.ts";
import { ShardObject } from "../../../worker/host/deno/shard-object.ts";
import type { Hello } from "../../../worker/session/session.ts";

const SECRET = Buffer.alloc(32, 1).toString("base64");

/** A socket whose client answers a close only when the test says so. */
class FakeSocket extends EventTarget implements OpenSocket {
  binaryType: WebSocket["binaryType"] = "blob";
  bufferedAmount = 0;
  readyState: number = WebSocket.OPEN;
  closed: number | null = null;

  send(): void {}

  close(code: number): void {
    this.closed = code;
    this.readyState = WebSocket.CLOSING;
  }

  gone(): void {
    this.dispatchEvent(new Event("close"));
  }
}

const hello = (subject = "alice"): Hello => ({
  ...{ kind: "relay", dialect: "hivegate", mode: "normal", encoding: "json", position: null },
  filters: { include_performance: false, include_neural: false, include_topology: false },
  identity: { subject, permissions: [], scope: {}, expiresMs: Date.now() + 3_600_000 },
});

function aShard() {
  const gateway = new Gateway(
    readConfig({
      HIVES: '{"default":{"url":"http://127.0.0.1:9","kid":"k"}}',
      SIDECAR_KEYS: JSON.stringify({ k: SECRET }),
      JWT_SECRET: SECRET,
    }),
    async () => {},
  );
  const deserted = vi.fn();
  const shard = new ShardObject({ hive: "default", gateway, dial: () => {}, deserted });
  const join = (subject?: string) => {
    const socket = new FakeSocket();
    shard.connect(socket, hello(subject));
    return socket;
  };
  return { shard, deserted, join };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a shard's place on Deno", () => {
  it("S6 is forgotten at its alarm once everybody has left, and not before", async () => {
    const { deserted, join } = aShard();
    const [first, second] = [join(), join()];
    first.gone();
    await vi.advanceTimersByTimeAsync(LIMITS.sweepMs - 1);
    second.gone();
    expect(deserted).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(LIMITS.sweepMs);
    expect(deserted).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10 * LIMITS.sweepMs);
    expect(deserted).toHaveBeenCalledTimes(1);
  });

  it("S6 takes no session whose state another host could not keep", () => {
    const { shard } = aShard();
    const wide = { ...hello(), filters: { ...hello().filters, agent_types: ["x".repeat(16_384)] } };
    expect(() => shard.connect(new FakeSocket(), wide)).toThrow("too large");
  });

  it("S6 counts a client that was sent away until it has gone, for it may hold memory until then", async () => {
    const { shard, deserted, join } = aShard();
    const sockets = Array.from({ length: LIMITS.sessionsPerSubject }, () => join("alice"));
    expect([shard.refusal("alice"), shard.refusal("bob")]).toEqual(["subject", null]);
    await vi.advanceTimersByTimeAsync(LIMITS.idleSessionMs + LIMITS.sweepMs);
    expect(sockets.map(({ closed }) => closed)).toEqual(sockets.map(() => 4007));
    expect(shard.refusal("alice")).toBe("subject");
    expect(deserted).not.toHaveBeenCalled();
    sockets[0]?.gone();
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.refusal("alice")).toBeNull();
  });
});
