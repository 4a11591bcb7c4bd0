import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FeedEnd } from "../../../worker/host/deno/feed-pair.ts";

/** Both ends of a feed, each with what it has heard. */
function aFeed() {
  const [hive, shard] = FeedEnd.pair<string, string>();
  const heard = { hive: [] as string[], shard: [] as string[] };
  const listen = (end: FeedEnd<string, string>, heard: string[]) =>
    end.listen({ received: (text) => heard.push(text), closed: () => heard.push("closed") });
  listen(hive, heard.hive);
  listen(shard, heard.shard);
  return { hive, shard, heard };
}

/** What was put off until now has been done. */
const settled = () => new Promise<void>((resolve) => setTimeout(resolve));

describe("the feed between Hive and Shard on Deno", () => {
  it("S2 delivers in order, and not while the sender is still at work", async () => {
    const { hive, shard, heard } = aFeed();
    hive.send("1");
    shard.send("a");
    hive.send("2");
    expect(heard).toEqual({ hive: [], shard: [] });
    await settled();
    expect(heard).toEqual({ hive: ["a"], shard: ["1", "2"] });
  });

  it("S6 whatever is said and closed, in any order: the closer hears nothing more, the other one what was said before", async () => {
    const step = fc.record({
      by: fc.constantFrom("hive", "shard"),
      does: fc.constantFrom("send", "close", "settle"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { heard, ...ends } = aFeed();
        const said: Record<"hive" | "shard", string[]> = { hive: [], shard: [] };
        const closed = new Set<string>();
        for (const [i, { by, does }] of steps.entries()) {
          const before = heard[by].length;
          if (does === "settle") {
            await settled();
            if (closed.has(by)) expect(heard[by]).toHaveLength(before);
          } else if (does === "send") ends[by].send(`${i}`);
          else ends[by].close();
          if (!closed.has(by) && does !== "settle") said[by].push(does === "send" ? `${i}` : "closed");
          if (does === "close") closed.add(by);
        }
        await settled();
        for (const [by, other] of [
          ["hive", "shard"],
          ["shard", "hive"],
        ] as const) {
          // Who has closed may have missed some, but never hears anything twice or out of order.
          expect(said[by].slice(0, heard[other].length)).toEqual(heard[other]);
          if (!closed.has(other)) expect(heard[other]).toEqual(said[by]);
        }
      }),
    );
  });
});
