import fc from "fast-check";
import { expect, it } from "vitest";
import { EventSize } from "../../../sidecar/mcp/wires/limited-fetch.ts";

/** What comes after the last empty line. */
function open(text: string): string {
  const lines = text.split("\n");
  const last = lines.slice(0, -1).findLastIndex((line) => line === "" || line === "\r");
  return lines.slice(last + 1).join("\n");
}

it("S6 an event is held until its empty line, however it is cut and its lines end", () => {
  const part = fc.constantFrom("\n", "\r\n", "x", "data: one\n", ": nothing\r\n", "\r");
  const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(part), cuts, (parts, sizes) => {
      const text = parts.join("");
      const size = new EventSize();
      let held = 0;
      for (let at = 0, n = 0; at < text.length; n++) {
        const end = at + (sizes[n % sizes.length] ?? 1);
        held = size.add(Buffer.from(text.slice(at, end)));
        at = end;
      }
      expect(held).toBe(open(text).length);
    }),
  );
});
