import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchWriter, encodeAcknowledge } from "../../../shared/relay/batch.ts";
import { Link } from "../../../shared/relay/link.ts";
import type { RelayRecord } from "../../../shared/relay/records.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { type End, LinkPair } from "./link-pair.ts";

const message = (data: string): RelayRecord => ({ type: "message", channel: 1, data, urgent: false });
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));

async function upPair(limits?: ConstructorParameters<typeof LinkPair>[0]): Promise<LinkPair> {
  const pair = new LinkPair(limits);
  pair.connect();
  await pair.deliver();
  return pair;
}

/** A socket over which frames come one behind the other, so many bytes in a millisecond. */
function attachAt(clock: ManualClock, from: Link, to: Link, bytesPerMs: number): void {
  let freeMs = clock.now();
  let isOpen = true;
  from.attach({
    send: (bytes) => {
      freeMs = Math.max(freeMs, clock.now()) + bytes.length / bytesPerMs;
      const copy = bytes.slice();
      clock.after(freeMs - clock.now(), () => isOpen && to.receive(copy));
    },
    close: () => {
      isOpen = false;
    },
  });
}

describe("a relay's link", () => {
  it("R4 passes records on once both have said hello, and holds them before", async () => {
    const pair = new LinkPair();
    expect(pair.a.link.send(message("early"))).toBe("held");
    pair.connect();
    expect(pair.a.link.isUp).toBe(false);
    await pair.deliver();
    expect(pair.a.link.isUp).toBe(true);
    expect(pair.a.link.send(message("late"))).toBe("sent");
    await pair.deliver();
    expect(pair.b.texts).toEqual(["early", "late"]);
  });

  it("R4 delivers 10,000 messages each way exactly once and in order over a transport cut at random", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(40)), async (random) => {
        const next = () => random.next().value ?? 0;
        const pair = new LinkPair();
        const all = numbers(10_000);
        for (let sent = 0; sent < all.length; ) {
          const until = sent + next() * 5 + 1;
          for (const data of all.slice(sent, until)) {
            pair.a.link.send(message(data));
            pair.b.link.send(message(data));
          }
          sent = until;
          if (next() < 8) pair.cut();
          if (!pair.a.socket) pair.connect();
          await pair.deliver(next());
        }
        if (!pair.a.socket) pair.connect();
        await pair.deliver();
        expect(pair.a.texts).toEqual(all);
        expect(pair.b.texts).toEqual(all);
        expect([pair.a.resets, pair.b.resets]).toEqual([0, 0]);
      }),
      { numRuns: 10 },
    );
  });

  it("R4 loses nothing without a reset on the side that sent it, whatever is cut, restarted or away for long", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ send: fc.constantFrom("a" as const, "b" as const) }) },
      { weight: 4, arbitrary: fc.record({ deliver: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 2, arbitrary: fc.constant("connect" as const) },
      fc.constant("cut" as const),
      fc.constant("restart" as const),
      fc.record({ advanceMs: fc.nat(45_000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150, size: "max" }), async (steps) => {
        const pair = new LinkPair();
        const bs = [pair.b];
        /** By who sent it: a message, and how many resets its sender had seen. */
        const sent: { by: End; data: string; resets: number }[] = [];
        for (const one of steps) {
          if (one === "cut") pair.cut();
          else if (one === "connect") {
            if (!pair.a.socket) pair.connect();
          } else if (one === "restart") {
            pair.restartB();
            bs.push(pair.b);
          } else if ("send" in one) {
            const by = pair[one.send];
            sent.push({ by, data: String(sent.length), resets: by.resets });
            by.link.send(message(String(sent.length - 1)));
          } else if ("deliver" in one) await pair.deliver(one.deliver);
          else pair.clock.advance(one.advanceMs);
        }
        if (!pair.a.socket) pair.connect();
        await pair.deliver();
        expect([pair.a.link.isUp, pair.b.link.isUp]).toEqual([true, true]);
        const toA = pair.a.texts.map(Number);
        const toB = bs.flatMap((b) => b.texts).map(Number);
        for (const arrived of [toA, toB]) {
          expect(arrived).toEqual([...new Set(arrived)].toSorted((x, y) => x - y));
        }
        const isCertain = ({ by, resets }: (typeof sent)[number]) =>
          (by === pair.a || by === pair.b) && by.resets === resets;
        for (const one of sent.filter(isCertain))
          expect(one.by === pair.a ? toB : toA).toContain(Number(one.data));
      }),
      { numRuns: 300 },
    );
  });

  it("R4 tells one end once that the other was restarted, and goes on with what comes after", async () => {
    const pair = await upPair();
    pair.a.link.send(message("before"));
    await pair.deliver();
    pair.a.link.send(message("lost"));
    pair.restartB();
    pair.connect();
    await pair.deliver();
    expect([pair.a.resets, pair.b.resets]).toEqual([1, 0]);
    pair.a.link.send(message("after"));
    pair.b.link.send(message("back"));
    await pair.deliver();
    expect([pair.a.texts, pair.b.texts]).toEqual([["back"], ["after"]]);
  });

  it("R4 tells both ends when an interruption lasted too long, whatever the order of their clocks", async () => {
    const pair = await upPair();
    pair.a.link.send(message("had"));
    await pair.deliver();
    pair.cut();
    pair.clock.advance(60_000);
    expect([pair.a.resets, pair.b.resets]).toEqual([1, 1]);
    pair.a.link.send(message("new"));
    pair.connect();
    await pair.deliver();
    expect([pair.a.resets, pair.b.resets, pair.b.texts]).toEqual([1, 1, ["had", "new"]]);
  });

  it("R4 resets neither end when the first hello was lost on one way", async () => {
    const pair = new LinkPair();
    pair.a.link.send(message("one"));
    pair.b.link.send(message("two"));
    pair.connect();
    await pair.deliver(1);
    pair.cut();
    pair.connect();
    await pair.deliver();
    expect([pair.a.resets, pair.b.resets]).toEqual([0, 0]);
    expect([pair.a.texts, pair.b.texts]).toEqual([["two"], ["one"]]);
  });

  it("R4 refuses messages above its limit, and says when there is room", async () => {
    const pair = await upPair({ bytes: 1_000, heldMs: 60_000, silentMs: 15_000 });
    pair.cut();
    expect(pair.a.link.send(message("x".repeat(1_000)))).toBe("held");
    expect(pair.a.link.send(message("y"))).toBe("full");
    expect(pair.a.link.send({ type: "close", channel: 2, code: 1000, reason: "" })).toBe("held");
    pair.connect();
    await pair.deliver();
    pair.clock.advance(50);
    await pair.deliver();
    expect([pair.a.rooms, pair.a.link.unsentBytes]).toEqual([1, 0]);
    expect(pair.b.received).toHaveLength(2);
  });

  it("S6 resets above twice its limit", async () => {
    const pair = await upPair({ bytes: 100, heldMs: 60_000, silentMs: 15_000 });
    pair.cut();
    for (let n = 0; n < 20; n++) pair.a.link.send({ type: "close", channel: n, code: 1000, reason: "" });
    expect(pair.a.resets).toBeGreaterThan(0);
    expect(pair.a.link.unsentBytes).toBeLessThan(300);
  });

  it("R2 ends a socket on which nothing is acknowledged, and sends all of it over the next", async () => {
    const pair = await upPair();
    pair.a.link.send(message("unheard"));
    await Promise.resolve();
    pair.clock.advance(15_001);
    expect([pair.a.socket, pair.a.link.isUp]).toEqual([null, false]);
    pair.connect();
    await pair.deliver();
    expect(pair.b.texts).toEqual(["unheard"]);
    pair.clock.advance(50);
    await pair.deliver();
    // Nothing is due any more: silence is not a fault.
    pair.clock.advance(600_000);
    expect(pair.a.socket).not.toBeNull();
    expect(pair.clock.waiting).toBe(0);
  });

  it.each([
    [1, "to", 4_000_000],
    [8, "to", 4_000_000],
    [1, "from", 4_000_000],
    [2, "from", 4_000_000],
    [1, "from", 40_000],
  ])(
    "R4 gets all through a link of %i Mbit/s %s the one that talks, in messages of %i",
    (megabits, way, size) => {
      const clock = new ManualClock();
      const arrived = { large: 0, small: 0 };
      let dials = 0;
      const end = (name: string) =>
        new Link({
          ...{ clock, onReset: () => {}, onDown: () => clock.after(500, dial), newInstance: () => name },
          received: (record) => {
            if (record.type === "message") arrived[record.channel === 1 ? "large" : "small"]++;
          },
          soon: (flush) => void clock.after(0, flush),
        });
      const [talker, other] = [end("talker"), end("other")];
      const dial = () => {
        dials++;
        const slow = megabits * 125;
        attachAt(clock, talker, other, way === "to" ? slow : 100_000);
        attachAt(clock, other, talker, way === "to" ? 100_000 : slow);
      };
      dial();
      clock.advance(1_000);
      const data = "x".repeat(size);
      const large = 12_000_000 / size;
      const from = way === "to" ? talker : other;
      for (let n = 0; n < large; n++) from.send({ type: "message", channel: 1, urgent: false, data });
      for (let n = 0; n < 150; n++) {
        talker.send({ type: "message", channel: 2, urgent: false, data: "small" });
        clock.advance(1_000);
      }
      expect([arrived, dials]).toEqual([{ large, small: 150 }, 1]);
    },
  );

  it("R4 waits for each acknowledgement for as long, whenever the one before it came", async () => {
    const pair = await upPair();
    pair.a.link.send(message("one"));
    await pair.deliver();
    pair.clock.advance(50);
    await pair.deliver();
    pair.clock.advance(14_940);
    pair.a.link.send(message("two"));
    await Promise.resolve();
    pair.clock.advance(14_000);
    expect(pair.a.link.isUp).toBe(true);
    pair.clock.advance(1_001);
    expect(pair.a.link.isUp).toBe(false);
  });

  it("R4 loses no other record to one that cannot be taken", async () => {
    const pair = await upPair();
    const writer = new BatchWriter();
    const got: string[] = [];
    pair.b.take = (record) => {
      if (record.type !== "message") return;
      if (record.data === "two") throw new Error("of two");
      got.push(String(record.data));
    };
    for (const data of ["one", "two", "three"]) writer.add(message(data));
    expect(() => pair.b.link.receive(writer.take(1, 0))).toThrow("of two");
    expect([got, pair.b.link.isUp]).toEqual([["one", "three"], true]);
  });

  it("R4 drops a batch that comes twice, and closes a socket on which one is missing", async () => {
    const pair = await upPair();
    const batch = (number: number, data: string) => {
      const writer = new BatchWriter();
      writer.add(message(data));
      return writer.take(number, 0);
    };
    for (const frame of [batch(1, "one"), batch(1, "one"), batch(2, "two"), batch(1, "one")])
      pair.b.link.receive(frame);
    expect([pair.b.texts, pair.b.link.isUp]).toEqual([["one", "two"], true]);
    pair.b.link.receive(batch(4, "four"));
    expect([pair.b.texts, pair.b.link.isUp, pair.b.resets]).toEqual([["one", "two"], false, 0]);
  });

  it.each([
    ["no frame of a link", Uint8Array.of(99, 1, 2)],
    ["an acknowledgement of what was never sent", encodeAcknowledge(5)],
  ])("S8 starts anew on %s", async (_, bytes) => {
    const pair = await upPair();
    pair.b.link.receive(bytes);
    expect([pair.b.resets, pair.b.link.isUp]).toEqual([1, false]);
    pair.connect();
    await pair.deliver();
    expect([pair.a.resets, pair.a.link.isUp, pair.b.link.isUp]).toEqual([1, true, true]);
  });

  it("R4 passes over nothing when a replaced socket ends late", async () => {
    const pair = await upPair();
    const old = pair.a.socket;
    pair.connect();
    await pair.deliver();
    pair.a.link.detached(old);
    expect(pair.a.link.isUp).toBe(true);
  });
});
