import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { cutLines, type Line } from "../../../sidecar/swarm/output-lines.ts";

/** Everything that these pieces come to, the unfinished line last. */
function cutAll(pieces: readonly string[]): Line[] {
  const all: Line[] = [];
  let open = "";
  for (const piece of pieces) {
    const cut = cutLines(open, piece);
    all.push(...cut.lines);
    ({ open } = cut);
  }
  return open === "" ? all : [...all, { text: open, partial: true }];
}

const written = (lines: readonly Line[]) =>
  lines.map(({ text, partial }) => (partial ? text : `${text}\n`)).join("");

describe("a task's output", () => {
  it("H9 is cut into lines, wherever its pieces begin and end", () => {
    expect(cutAll(["on", "e\ntwo\n\nth", "ree"])).toEqual([
      { text: "one", partial: false },
      { text: "two", partial: false },
      { text: "", partial: false },
      { text: "three", partial: true },
    ]);
  });

  it("H9 loses no character, and no line of it is longer than an event may be", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "🐝", "\r", "\n"), maxLength: 40 });
    const long = fc.integer({ min: 0, max: LIMITS.taskEventBytes / 4 }).map((n) => "🐝".repeat(n));
    const pieces = fc.array(fc.oneof(text, long), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, (all) => {
        const lines = cutAll(all);
        expect(written(lines)).toBe(all.join(""));
        for (const line of lines)
          expect(Buffer.byteLength(line.text)).toBeLessThanOrEqual(LIMITS.taskEventBytes);
        for (const line of lines) expect(line.text).not.toContain("\n");
      }),
      { numRuns: 50 },
    );
  });
});
