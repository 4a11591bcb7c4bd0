import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { Channel, costOf, type GivenUp } from "../../../shared/relay/channel.ts";
import type { RelayMessage, RelayRecord } from "../../../shared/relay/records.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const WINDOW = 1_000;

/** Two ends of a channel over a link that is full now and then. */
function channelPair() {
  const clock = new ManualClock();
  const link = { full: false };
  const arrived: string[] = [];
  const unread: number[] = [];
  const givenUp: [string, GivenUp][] = [];
  let drained = 0;
  const send = (record: RelayRecord) => {
    if (record.type === "credit") sender.credited(record.bytes);
    if (record.type !== "message") return "sent" as const;
    if (link.full) return "full" as const;
    arrived.push(String(record.data));
    unread.push(costOf(record.data));
    return "sent" as const;
  };
  const options = {
    ...{ number: 1, clock, link: { send } },
    gaveUp: ({ data }: RelayMessage, why: GivenUp) => void givenUp.push([String(data), why]),
    onDrained: () => void drained++,
    limits: { windowBytes: WINDOW, held: { bytes: 2_000, ageMs: 60_000 } },
  };
  const sender = new Channel(options);
  const receiver = new Channel(options);
  const read = () => receiver.passedOn(unread.shift() ?? 0);
  return { clock, link, arrived, unread, givenUp, sender, read, drained: () => drained };
}

const ordinary = (data: string): RelayMessage => ({ data, urgent: false });

describe("a relay's channel", () => {
  it("R4 stops at the window, and goes on as the other side reads", () => {
    const { sender, arrived, read, drained } = channelPair();
    for (let n = 0; n < 5; n++) sender.send(ordinary(`${n}${"x".repeat(335)}`));
    expect(arrived.map((text) => text[0])).toEqual(["0", "1", "2"]);
    expect([sender.held, drained()]).toEqual([2, 0]);
    read();
    read();
    expect(arrived.map((text) => text[0])).toEqual(["0", "1", "2", "3", "4"]);
    expect([sender.held, drained()]).toEqual([0, 1]);
  });

  it("R4 lets a message through that is larger than the window", () => {
    const { sender, arrived, read } = channelPair();
    sender.send(ordinary("x".repeat(10 * WINDOW)));
    sender.send(ordinary("next"));
    expect(arrived).toHaveLength(1);
    read();
    expect(arrived[1]).toBe("next");
  });

  it("R4 S6 gives up a message that might not fit a frame of the link, and none that came as it is", () => {
    const { sender, arrived, givenUp, read } = channelPair();
    const frameChars = Math.floor(LIMITS.relayLinkBytes / 3);
    for (const chars of [LIMITS.relayMessageBytes, frameChars, 1]) {
      sender.send(ordinary("x".repeat(chars)));
      if (arrived.length > 0) read();
    }
    expect(arrived.map(({ length }) => length)).toEqual([LIMITS.relayMessageBytes, 1]);
    expect(givenUp.map(([data, why]) => [data.length, why])).toEqual([[frameChars, "overloaded"]]);
  });

  it("R4 sends urgent messages first", () => {
    const { sender, link, arrived } = channelPair();
    link.full = true;
    for (const data of ["a", "b", "!c", "d", "!e"]) sender.send({ data, urgent: data.startsWith("!") });
    link.full = false;
    sender.drain();
    expect(arrived).toEqual(["!c", "!e", "a", "b", "d"]);
  });

  it("R4 gives up what was held for a minute, and nothing younger", () => {
    const { sender, link, clock, givenUp, arrived } = channelPair();
    link.full = true;
    sender.send(ordinary("old"));
    clock.advance(30_000);
    sender.send(ordinary("young"));
    clock.advance(30_000);
    expect(givenUp).toEqual([["old", "timeout"]]);
    link.full = false;
    sender.drain();
    expect([arrived, clock.waiting]).toEqual([["young"], 0]);
  });

  it("R4 delivers each message exactly once, in the order of its class, or gives it up", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ send: fc.nat(900), urgent: fc.boolean() }) },
      { weight: 3, arbitrary: fc.constant("read" as const) },
      fc.constantFrom("full" as const, "room" as const),
      fc.record({ advanceMs: fc.nat(40_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const { sender, link, clock, arrived, givenUp, unread, read } = channelPair();
        const sent: string[] = [];
        for (const one of steps) {
          if (one === "read") {
            if (unread.length > 0) read();
          } else if (one === "full") link.full = true;
          else if (one === "room") {
            link.full = false;
            sender.drain();
          } else if ("advanceMs" in one) clock.advance(one.advanceMs);
          else {
            const data = `${one.urgent ? "!" : ""}${sent.length}${" ".repeat(one.send)}`;
            sent.push(data);
            sender.send({ data, urgent: one.urgent });
          }
        }
        link.full = false;
        sender.drain();
        while (unread.length > 0) read();
        const lost = givenUp.map(([data]) => data);
        expect(sender.held).toBe(0);
        expect([...arrived, ...lost].sort()).toEqual([...sent].sort());
        for (const urgent of [true, false]) {
          const ofClass = (data: string) => data.startsWith("!") === urgent;
          const expected = sent.filter((data) => ofClass(data) && !lost.includes(data));
          expect(arrived.filter(ofClass)).toEqual(expected);
        }
        expect(clock.waiting).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("R4 gives back what is held when it ends", () => {
    const { sender, link, clock } = channelPair();
    link.full = true;
    for (const data of ["a", "!b"]) sender.send({ data, urgent: data.startsWith("!") });
    expect(sender.close().map(({ data }) => data)).toEqual(["!b", "a"]);
    expect([sender.held, clock.waiting]).toEqual([0, 0]);
  });
});
