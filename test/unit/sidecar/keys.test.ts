import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { macKey, macKeys, sha256 } from "../../../sidecar/http/keys.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("the sidecar's primitives", () => {
  it("S8 make the HMAC of RFC 4231", async () => {
    // Test cases 2 and 6: a short key, and one longer than a block.
    expect(hex(await macKey("k", Buffer.from("Jefe")).mac("what do ya want for nothing?"))).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    const long = macKey("k", Buffer.alloc(131, 0xaa));
    expect(hex(await long.mac("Test Using Larger Than Block-Size Key - Hash Key First"))).toBe(
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    );
  });

  it("S8 agree with node:crypto for any key and text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 130 }),
        fc.string({ unit: "grapheme", maxLength: 300 }),
        async (secret, text) => {
          const expected = createHmac("sha256", secret).update(text).digest("hex");
          expect(hex(await macKey("k", secret).mac(text))).toBe(expected);
          const bytes = Buffer.from(text);
          expect(hex(await sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
        },
      ),
    );
  });

  it("S8 keep each key under its name", () => {
    const keys = macKeys(new Map([["old", Buffer.alloc(32)]]));
    expect([...keys].map(([kid, key]) => [kid, key.kid])).toEqual([["old", "old"]]);
  });
});
