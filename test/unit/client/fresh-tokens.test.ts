import { describe, expect, it } from "vitest";
import { HivegateStream } from "../../../shared/client/stream.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeGateway, settled } from "./fakes.ts";

/** A stream that came with `old`, and whose owner gives what `freshToken` gives. */
function start(freshToken: () => Promise<string>) {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  gateway.lifeMs = 100_000;
  const asked: number[] = [];
  const stream = new HivegateStream({
    ...{ baseUrl: "https://gate.example/", hive: "default", token: "old", random: () => 1 },
    ...{ openSocket: gateway.openSocket, clock },
    freshToken: () => {
      asked.push(clock.now() - startMs);
      return freshToken();
    },
  });
  const startMs = clock.now();
  /** So much time, or until the gateway is dialled. */
  const pass = async (ms: number) => {
    const untilMs = clock.now() + ms;
    const dials = gateway.dials.length;
    while (gateway.dials.length === dials && clock.advanceToNext(untilMs)) {
      gateway.sendRaw('{"type":"heartbeat_ack"}');
      await settled();
    }
  };
  const expire = async () => {
    gateway.close(4503);
    await settled();
  };
  const shown = () => gateway.ofType("refresh_token");
  const answered = async (frame: (requestId: string) => Parameters<FakeGateway["send"]>[0]) => {
    gateway.send(frame(String(shown().at(-1)?.requestId)));
    await settled();
  };
  const accept = () =>
    answered((requestId) => ({
      ...{ type: "token_refreshed", requestId, timestamp: gateway.nowMs },
      expires_at: gateway.nowMs + gateway.lifeMs,
    }));
  const refuse = () =>
    answered((requestId) => ({
      ...{ type: "error", requestId, code: "rate_limited", message: "Wait.", retryable: true, timestamp: 1 },
    }));
  const tokens = () => gateway.dials.map(({ protocols }) => protocols[1]);
  return { clock, gateway, stream, asked, pass, expire, shown, accept, refuse, tokens };
}

function minting() {
  let minted = 0;
  return async () => `fresh-${++minted}`;
}

describe("HivegateStream: a token that expires", () => {
  it.each([-600_000, 0, 600_000])(
    "U2 S8 is replaced when a fifth of its life is left, by a clock that differs by %d ms from the gateway's",
    async (aheadMs) => {
      const { clock, gateway, asked, pass, shown, accept } = start(minting());
      gateway.nowMs = clock.now() - aheadMs;
      gateway.welcome();
      await pass(79_999);
      expect(shown()).toEqual([]);
      await pass(1);
      expect(shown()).toMatchObject([{ token: "fresh-1" }]);
      await accept();
      // For the next heartbeat and the next token: what had been asked for is over.
      expect(clock.waiting).toBe(2);
      await pass(80_000);
      expect(asked).toEqual([80_000, 160_000]);
    },
  );

  it("U2 S8 is asked for again, less and less often, while its owner cannot give one", async () => {
    const { gateway, asked, pass, shown } = start(async () => {
      if (asked.length < 4) throw new Error("the issuer is down");
      return "fresh";
    });
    gateway.welcome();
    await pass(90_000);
    expect(asked).toEqual([80_000, 81_000, 83_000, 87_000]);
    expect(shown()).toMatchObject([{ token: "fresh" }]);
  });

  it("U2 S8 is shown again when the gateway could not look at it, and good to come back with", async () => {
    const { gateway, stream, pass, expire, shown, refuse, tokens } = start(async () => "kept");
    gateway.welcome();
    await pass(80_000);
    await refuse();
    await pass(1_000);
    expect(shown()).toMatchObject([{ token: "kept" }, { token: "kept" }]);
    await refuse();
    await expire();
    await pass(1_000);
    gateway.welcome();
    expect([tokens(), stream.state.name]).toEqual([["old", "kept"], "open"]);
  });

  it("U2 S8 costs the connection, which waits a moment and comes back with a fresh one", async () => {
    const { gateway, stream, pass, expire, tokens } = start(minting());
    gateway.welcome();
    await expire();
    expect(stream.state).toMatchObject({ name: "waiting", error: { code: "token_expired" } });
    await pass(500);
    expect(tokens()).toEqual(["old", "fresh-1"]);
  });

  it("U2 S8 is asked for after it has expired until its owner can give one", async () => {
    let isDown = true;
    const { gateway, stream, asked, pass, expire, tokens } = start(async () => {
      if (isDown) throw new Error("the issuer is down");
      return "fresh";
    });
    gateway.welcome();
    await expire();
    await pass(3_600_000);
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.length).toBeLessThan(130);
    expect([stream.state.name, tokens()]).toEqual(["waiting", ["old"]]);
    isDown = false;
    await pass(30_000);
    gateway.welcome();
    expect([stream.state.name, tokens()]).toEqual(["open", ["old", "fresh"]]);
  });

  it("U2 S6 is not minted and dialled with without end when the gateway refuses each fresh one", async () => {
    const { gateway, clock, expire, tokens } = start(minting());
    await expire();
    for (const untilMs = clock.now() + 60_000; clock.advanceToNext(untilMs); ) {
      await settled();
      if (gateway.open > 0) await expire();
    }
    // After 0.5, 1, 2, 4, 8 and 16 seconds, then each half minute.
    expect(tokens()).toEqual(["old", ...Array.from({ length: 6 }, (_, n) => `fresh-${n + 1}`)]);
  });

  it("U2 S8 ends the stream when its owner has no other one", async () => {
    const { gateway, stream, pass, expire, asked } = start(async () => "old");
    gateway.welcome();
    await expire();
    await pass(3_600_000);
    expect(stream.state).toMatchObject({ name: "closed", error: { code: "token_expired" } });
    expect([asked.length, gateway.dials.length]).toEqual([1, 1]);
  });

  it("U2 S6 is asked for again when its owner does not answer for half a minute", async () => {
    const { gateway, asked, pass } = start(() => new Promise<never>(() => {}));
    gateway.welcome();
    await pass(111_000);
    expect(asked).toEqual([80_000, 111_000]);
  });
});

describe("HivegateStream: closed by its owner", () => {
  it("U2 stays closed when the token comes that it had asked for", async () => {
    const { promise: token, resolve } = Promise.withResolvers<string>();
    const { clock, gateway, stream, asked, pass, expire } = start(() => token);
    gateway.welcome();
    await expire();
    await pass(500);
    expect(asked.length).toBe(1);
    stream.close();
    resolve("fresh");
    await settled();
    expect([stream.state, gateway.dials.length]).toEqual([{ name: "closed", error: null }, 1]);
    expect(clock.waiting).toBe(0);
  });

  it("U2 hears and does nothing more, though it was closed by one who heard that it is open", async () => {
    const { clock, gateway, stream, asked, pass } = start(minting());
    const heard: string[] = [];
    stream.on("state", ({ name }) => {
      if (name === "open") stream.close();
    });
    stream.on("state", ({ name }) => heard.push(name));
    stream.on("frame", ({ type }) => heard.push(type));
    gateway.welcome();
    expect([heard, clock.waiting]).toEqual([["closed"], 0]);
    await pass(100_000);
    expect(asked).toEqual([]);
  });
});
