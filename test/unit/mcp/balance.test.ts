import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inOrder } from "../../../sidecar/mcp/balance.ts";

const well = { isFailing: false, retryInMs: 0, pending: 0 };
const standing = fc.record({ isFailing: fc.boolean(), retryInMs: fc.nat(2), pending: fc.nat(3) });

describe("the order in which servers of a pool are tried", () => {
  it("S3 those that answer come first, those whose circuit is open last", () => {
    const servers = [
      { ...well, name: "open", retryInMs: 1 },
      { ...well, name: "failing", isFailing: true },
      { ...well, name: "busy", pending: 9 },
    ];
    expect(inOrder(servers, 7).map(({ name }) => name)).toEqual(["busy", "failing", "open"]);
  });

  it("S3 leaves nobody out and invents nobody", () => {
    fc.assert(
      fc.property(fc.array(standing, { maxLength: 6 }), fc.nat(), (servers, turn) => {
        const ordered = inOrder(servers, turn);
        expect(ordered).toHaveLength(servers.length);
        expect(new Set(ordered)).toEqual(new Set(servers));
      }),
    );
  });

  it("S3 each of those that are equally well is first equally often, whatever the others are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(standing, { maxLength: 4 }), (count, others) => {
        const equals = Array.from({ length: count }, (_, name) => ({ ...well, name }));
        const worse = others.map((other) => ({ ...other, name: null, pending: other.pending + 1 }));
        const firsts = new Map<number | null, number>();
        for (let turn = 0; turn < 10 * count; turn++) {
          const [first] = inOrder([...worse, ...equals], turn);
          if (first) firsts.set(first.name, (firsts.get(first.name) ?? 0) + 1);
        }
        expect(firsts).toEqual(new Map(equals.map(({ name }) => [name, 10])));
      }),
    );
  });
});
