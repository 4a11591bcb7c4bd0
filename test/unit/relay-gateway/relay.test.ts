import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { settle, setUp } from "./relay-setup.ts";

const request = (id: unknown, params: object = {}) => ({ jsonrpc: "2.0", id, method: "m", params });
const note = (n: number, method = "notifications/n") => ({ jsonrpc: "2.0", method, params: { n } });
const numberOf = ({ data }: { data: string | Uint8Array }): number => JSON.parse(String(data)).params.n;

describe("a relay's link", () => {
  it("R2 is there while clients are, and a while longer", async () => {
    const { relay, join, pass } = setUp();
    expect(relay.figures).toMatchObject({ dials: 0, linkUp: false, shared: 0 });
    const [first, second] = [join(), join({ mode: "dedicated" })];
    await settle();
    expect(relay.figures).toMatchObject({ dials: 1, linkUp: true, shared: 1, dedicated: 1 });
    first.leave();
    second.leave();
    await pass(LIMITS.relayLingerMs - 1_000, 1_000);
    join().leave();
    await pass(LIMITS.relayLingerMs - 1_000, 1_000);
    expect(relay.figures).toMatchObject({ dials: 1, linkUp: true });
    await pass(2_000, 1_000);
    expect(relay.figures).toMatchObject({ dials: 1, linkUp: false, shared: 0, dedicated: 0 });
  });

  it("R2 is let go as well when the sidecar ended the last client", async () => {
    const { relay, join, pass, tell } = setUp();
    const client = join({ mode: "dedicated" });
    await settle();
    tell({ type: "close", channel: 1, code: 1000, reason: "" });
    await pass(LIMITS.relayLingerMs + 1_000, 1_000);
    expect(client.ended).toEqual([1000]);
    expect(relay.figures).toMatchObject({ linkUp: false, dedicated: 0 });
  });

  it("R2 is dialled with growing pauses, then as the circuit breaker allows, and clients hear of each try", async () => {
    const { clock, relay, join, away, pass, cut } = setUp();
    const client = join();
    await settle();
    away(true);
    cut();
    await pass(60_000, 250);
    const tries = client.frames.filter(({ type }) => type === "orchestrator_disconnected");
    expect(tries.slice(0, 3)).toMatchObject([
      { state: "interrupted" },
      { state: "reconnecting", attempt: 1, delay_ms: 188 },
      { state: "reconnecting", attempt: 2, delay_ms: 375 },
    ]);
    expect(tries).toContainEqual(expect.objectContaining({ state: "circuit_open" }));
    expect(relay.figures.failedDials).toBeLessThan(20);
    away(false);
    await pass(40_000, 250);
    expect(relay.figures.linkUp).toBe(true);
    expect(clock.waiting).toBeLessThan(10);
  });

  it("R4 delivers once and in order what was said while it was cut at random", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("say", "cut", "pass"), { maxLength: 60 }), async (steps) => {
        const { join, cut, pass, said } = setUp();
        const client = join();
        let n = 0;
        for (const step of steps) {
          if (step === "say") client.say(note(n++));
          else if (step === "cut") cut();
          else await pass(20);
        }
        await pass(20_000, 1_000);
        expect(said().map(numberOf)).toEqual(Array.from({ length: n }, (_, i) => i));
        expect(client.ended).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it("R4 lets cancellations go first of what waited", async () => {
    const { join, said } = setUp();
    const client = join();
    client.say(note(1));
    client.say(note(2, "notifications/cancelled"));
    await settle();
    expect(said().map(numberOf)).toEqual([2, 1]);
  });
});

describe("a cancellation", () => {
  const cancelled = (requestId: unknown) => ({
    ...{ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } },
  });

  it("R4 takes back a request that still waits, whose asker is told, wherever it waits", async () => {
    const { relay, join, said, pass } = setUp({ messagesPerSecond: 10 });
    const client = join();
    client.say(request(1));
    client.say(cancelled(1));
    for (let i = 2; i <= 30; i++) client.say(request(i));
    client.say(cancelled(30));
    await pass(5_000);
    expect(said().map(({ data }) => JSON.parse(String(data)).id)).toEqual(
      Array.from({ length: 28 }, (_, i) => i + 2),
    );
    expect(client.rpc().map(({ id, error }) => [id, error.message])).toEqual(
      [1, 30].map((id) => [id, "The request was cancelled before it was sent."]),
    );
    expect(relay.figures.pending).toBe(28);
  });

  it("R4 follows its request where that waits in a batch, and goes to the orchestrator where it was sent", async () => {
    const { join, said } = setUp();
    const client = join();
    client.say([request(1), request(2)]);
    client.say(cancelled(2));
    await settle();
    client.say(cancelled(1));
    await settle();
    expect(said().map(({ data }) => JSON.parse(String(data)).params?.requestId)).toEqual([undefined, 2, 1]);
  });
});

describe("what a client said and left", () => {
  it("R4 still goes its way, and then the channel is closed as the client closed it", async () => {
    const { relay, join, said, pass, records } = setUp({ messagesPerSecond: 10 });
    const client = join({ mode: "dedicated" });
    await settle();
    for (let i = 0; i < 50; i++) client.sayRaw(`${i}`);
    client.leave();
    expect(relay.figures).toMatchObject({ dedicated: 0, held: 30 });
    await pass(5_000);
    expect(said().map(({ data }) => data)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
    expect(records.at(-1)).toMatchObject({ type: "close" });
    expect(relay.figures).toMatchObject({ held: 0, givenUp: 0 });
  });

  it("R4 S6 is given up after a while, and counted", async () => {
    const { relay, join, away, pass } = setUp();
    away(true);
    const client = join();
    client.say(request(1));
    client.leave();
    await pass(LIMITS.relayLeavingMs + 1_000, 1_000);
    expect(relay.figures).toMatchObject({ held: 0, heldBytes: 0, givenUp: 1 });
  });
});

describe("what a client said and nobody can deliver", () => {
  it("R4 is answered each by an error of its own when the sidecar forgets it", async () => {
    const { join, cut, forget, pass, said, tell } = setUp();
    const client = join();
    for (const id of [1, "1", "1", null]) client.say(request(id));
    await settle();
    tell({ type: "message", channel: 1, data: '{"jsonrpc":"2.0","id":1,"result":0}', urgent: false });
    await settle();
    forget();
    cut();
    client.say(request("later"));
    await pass(1_000);
    const [answer, ...errors] = client.rpc();
    expect(answer.result).toBe(0);
    expect(errors.map(({ id }) => id)).toEqual(["1", "1", null]);
    expect(errors[0].error.message).toContain("may have taken effect");
    expect(JSON.parse(String(said().at(-1)?.data)).id).toBe("later");
  });

  it("R4 is given up when it waited too long or too much waits, each with an error that says it was not sent", async () => {
    const { relay, join, away, pass, audited } = setUp();
    away(true);
    const client = join();
    client.say(request(0));
    const pad = "x".repeat(1024 * 1024);
    for (let i = 1; i <= 5; i++) client.say(request(i, { pad }));
    expect(client.rpc().map(({ id }) => id)).toEqual([4, 5]);
    expect(relay.figures.heldBytes).toBeLessThan(LIMITS.relayHeldBytes + 1_000);
    await pass(LIMITS.relayHeldMs + 1_000, 1_000);
    expect(client.rpc().map(({ id }) => id)).toEqual([4, 5, 0, 1, 2, 3]);
    for (const { error } of client.rpc()) expect(error.message).toContain("was not sent");
    expect(audited).toHaveLength(6);
    expect(audited).toContainEqual(expect.objectContaining({ name: "m", code: "timeout" }));
    expect(relay.figures).toMatchObject({ held: 0, heldBytes: 0, pending: 0, givenUp: 6 });
  });

  it("S6 R4 is bounded for all clients together", async () => {
    const { relay, join, away, pass } = setUp();
    away(true);
    const clients = Array.from({ length: 20 }, () => join());
    const pad = "x".repeat(1024 * 1024);
    for (const client of clients) for (let i = 0; i < 3; i++) client.say(request(i, { pad }));
    expect(relay.figures.heldBytes).toBeLessThanOrEqual(LIMITS.relayShardHeldBytes);
    expect(relay.figures.heldBytes).toBeGreaterThan(LIMITS.relayShardHeldBytes - 2 * pad.length);
    expect(clients.at(-1)?.rpc()).toHaveLength(3);
    for (const client of clients) client.leave();
    await pass(LIMITS.relayLeavingMs, 1_000);
    const late = join();
    for (let i = 0; i < 3; i++) late.say(request(i, { pad }));
    expect(late.rpc()).toEqual([]);
  });

  it("S6 R4 is bounded for all clients together, were it one large message of each", () => {
    const { relay, join, away } = setUp();
    away(true);
    const clients = Array.from({ length: 10 }, () => join());
    const pad = "x".repeat(LIMITS.relayMessageBytes - 1_000);
    for (const client of clients) client.say(request(1, { pad }));
    expect(relay.figures.heldBytes).toBeLessThanOrEqual(LIMITS.relayShardHeldBytes);
    expect(clients.filter((client) => client.rpc().length > 0)).toHaveLength(2);
  });

  it("R3 waits no more when the sidecar refuses it, however its id is written", async () => {
    const { relay, join, tell } = setUp();
    const client = join();
    client.sayRaw('{"jsonrpc":"2.0","id":"\\u00e9","method":"m"}');
    await settle();
    tell({ type: "refused", channel: 1, id: '"\\u00e9"', code: "overloaded", message: "later" });
    await settle();
    expect(client.rpc()).toMatchObject([{ id: "é" }]);
    expect(relay.figures.pending).toBe(0);
  });

  it("R4 is refused with an error while the gateway stops, which waits for what is under way", async () => {
    const { relay, join, pass, tell } = setUp();
    const client = join();
    client.say(request(1));
    await settle();
    let isDrained = false;
    void relay.drain(600).then(() => {
      isDrained = true;
    });
    client.say(request(2));
    expect(client.rpc()).toMatchObject([{ id: 2, error: { data: { code: "shutting_down" } } }]);
    await pass(200);
    expect(isDrained).toBe(false);
    tell({ type: "message", channel: 1, data: '{"jsonrpc":"2.0","id":1,"result":0}', urgent: false });
    await pass(100);
    expect(isDrained).toBe(true);
  });
});

describe("how fast clients read and write", () => {
  it("R4 S5 gives credit only for what was read, and ends one that reads nothing for a minute", async () => {
    const { join, pass, tell, records, creditOf } = setUp();
    const [deaf, slow] = [join({ reads: false }), join({ reads: false })];
    await settle();
    const data = JSON.stringify(note(0)).padEnd(64 * 1024);
    for (const channel of [1, 2])
      for (let i = 0; i < 16; i++) tell({ type: "message", channel, data, urgent: false });
    await pass(1_000);
    expect(deaf.raw).toHaveLength(16);
    expect(creditOf(records)).toBe(0);
    for (let i = 0; i < 70; i++) {
      slow.read(8 * 1024);
      await pass(1_000, 500);
    }
    expect([deaf.ended, slow.ended]).toEqual([["slow_consumer"], []]);
    expect(creditOf(records)).toBeGreaterThan(400 * 1024);
  });

  it("P6 R4 has no timer for one that left a little unread, and gives it its time when more comes", async () => {
    const { clock, join, pass, tell } = setUp();
    const client = join({ reads: false });
    await settle();
    tell({ type: "message", channel: 1, data: JSON.stringify(note(0)), urgent: false });
    await pass(2 * LIMITS.lostSessionMs, 1_000);
    expect([client.raw.length, clock.waiting]).toEqual([1, 0]);
    const data = JSON.stringify(note(0)).padEnd(LIMITS.relayWindowBytes);
    tell({ type: "message", channel: 1, data, urgent: false });
    await pass(LIMITS.lostSessionMs - 2_000, 1_000);
    expect(client.ended).toEqual([]);
    await pass(4_000, 1_000);
    expect(client.ended).toEqual(["slow_consumer"]);
  });

  it("R5 lets through at the rate, says once that it is slowed, and ends it when too much waits", async () => {
    const { relay, join, said, pass } = setUp({ messagesPerSecond: 10 });
    const client = join();
    await settle();
    for (let i = 0; i < 30; i++) client.say(note(i));
    await settle();
    expect(said()).toHaveLength(20);
    await pass(500);
    expect(said().length).toBeGreaterThan(23);
    expect(said().length).toBeLessThan(27);
    await pass(1_000);
    expect(said().map(numberOf)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(client.frames.map(({ type }) => type)).toEqual(["slowed"]);
    expect(relay.figures.slowed).toBe(1);
    for (let i = 0; i < 20_000 && client.ended.length === 0; i++) client.say(note(i));
    expect(client.ended).toEqual(["rate_limited"]);
  });

  it("R5 S6 refuses more requests than may wait, and counts and tells what it refuses, without content", async () => {
    const { relay, join, audited } = setUp({ messagesPerSecond: 10_000 });
    const client = join();
    for (let i = 0; i <= LIMITS.relayPendingRequests; i++) client.say(request(i, { password: "hunter2" }));
    expect(client.rpc()).toMatchObject([
      { id: LIMITS.relayPendingRequests, error: { data: { code: "overloaded" } } },
    ]);
    expect(relay.figures.refused).toEqual({ overloaded: 1 });
    expect(audited).toMatchObject([{ subject: "s", name: "m", code: "overloaded" }]);
    expect(JSON.stringify(audited)).not.toContain("hunter2");
  });

  it("R5 takes a batch for as many messages as it holds", async () => {
    const { join, said, pass } = setUp({ messagesPerSecond: 10 });
    const client = join();
    client.say(Array.from({ length: 50 }, (_, i) => note(i)));
    client.say(note(50));
    await pass(2_900);
    expect(said()).toHaveLength(1);
    await pass(300);
    expect(said()).toHaveLength(2);
  });

  it("R5 S6 refuses a batch of too many as one", () => {
    const { relay, join, audited } = setUp();
    const client = join();
    client.say(Array.from({ length: LIMITS.relayBatchParts + 1 }, (_, id) => request(id)));
    expect(client.frames).toMatchObject([{ type: "error", code: "invalid_request" }]);
    expect([client.raw.length, audited.length, relay.figures.pending]).toEqual([0, 1, 0]);
  });

  it("R5 S6 sends nothing on that is too large once its secrets are replaced", async () => {
    const { join, said } = setUp();
    const client = join();
    const fields = '"pwd":1,'.repeat(LIMITS.relayMessageBytes / 16);
    client.sayRaw(`{"jsonrpc":"2.0","id":1,"method":"m","params":{${fields}"n":1}}`);
    await settle();
    expect(client.rpc()).toMatchObject([{ id: 1, error: { data: { code: "frame_too_large" } } }]);
    expect(said()).toEqual([]);
  });

  it("R1 S6 ends a client whose message is too large", () => {
    const { join } = setUp();
    const [shared, dedicated] = [join(), join({ mode: "dedicated" })];
    shared.sayRaw(JSON.stringify(request(1, { pad: "é".repeat(LIMITS.relayMessageBytes / 2) })));
    dedicated.sayRaw(new ArrayBuffer(LIMITS.relayMessageBytes + 1));
    expect([shared.ended, dedicated.ended]).toEqual([["frame_too_large"], ["frame_too_large"]]);
  });
});

describe("what the orchestrator says to a viewer", () => {
  it("R3 R5 may be answered where it was asked, and only once", async () => {
    const { join, tell, said } = setUp();
    const viewer = join({ permissions: ["relay:read"] });
    await settle();
    tell({ type: "message", channel: 1, data: '{"jsonrpc":"2.0","id":7,"method":"ping"}', urgent: false });
    await settle();
    for (const id of [8, 7, 7]) viewer.say({ jsonrpc: "2.0", id, result: {} });
    await settle();
    expect(said().map(({ data }) => JSON.parse(String(data)).id)).toEqual([7]);
    expect(viewer.frames.map((frame) => "code" in frame && frame.code)).toEqual(["forbidden", "forbidden"]);
  });

  it("R5 is dropped and counted where it is no text: nobody could say what it holds", async () => {
    const { relay, join, tell, pass } = setUp();
    const clients = [join(), join({ permissions: ["relay:read"] })];
    await settle();
    for (const channel of [1, 2])
      tell({ type: "message", channel, data: new Uint8Array([123, 125]), urgent: false });
    await pass(100);
    expect(clients.flatMap(({ raw }) => raw)).toEqual([]);
    expect(relay.figures.dropped).toBe(2);
  });
});

describe("a dedicated session", () => {
  it("R3 passes everything as it is, and hears of nothing else unless it asked", async () => {
    const { join, said, tell, cut, pass } = setUp();
    const [quiet, told] = [join({ mode: "dedicated" }), join({ mode: "dedicated", notices: true })];
    const bytes = new Uint8Array([0, 255]);
    quiet.sayRaw('{"password":"x"}');
    quiet.sayRaw(bytes.buffer);
    await settle();
    expect(said().map(({ data }) => data)).toEqual(['{"password":"x"}', bytes]);
    for (const data of ['{"token":"x"}', bytes]) tell({ type: "message", channel: 1, data, urgent: false });
    await settle();
    expect(quiet.raw).toEqual(['{"token":"x"}', bytes]);
    cut();
    await pass(1_000);
    expect(quiet.frames).toEqual([]);
    expect(told.frames.map(({ type }) => type)).toContain("orchestrator_disconnected");
    expect([quiet.ended, told.ended]).toEqual([[], []]);
  });

  it("R1 ends with the orchestrator's code where it may be sent, and with one of ours where it may not", async () => {
    const { join, tell } = setUp();
    const codes = [1000, 3000, 4321, 1001, 1005, 1011];
    const clients = codes.map(() => join({ mode: "dedicated" }));
    await settle();
    for (const [i, code] of codes.entries()) tell({ type: "close", channel: i + 1, code, reason: "" });
    await settle();
    expect(clients.map(({ ended }) => ended[0])).toEqual([1000, 3000, 4321, 4004, 1000, 4005]);
  });
});
