import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { SEARCHED_CHARS, SEARCHED_LINES, SwarmIdSearch } from "../../../sidecar/swarm/swarm-id-search.ts";
import { aTask, fakeProfile, TASK_ID } from "./fakes.ts";
import { start } from "./tasks-setup.ts";

/** What a search that finds nothing looks at while it is shown these pieces. */
function lookedAt(pieces: readonly string[]) {
  const seen: string[] = [];
  const search = new SwarmIdSearch((lines) => {
    seen.push(lines);
    return null;
  });
  for (const piece of pieces) search.look(piece);
  return { seen, search };
}

describe("the search for a swarm's id", () => {
  it("S6 looks at each whole line once, in whatever pieces it comes, and at so many lines", () => {
    const piece = fc.stringMatching(/^[ab\n]{0,40}$/);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const { seen, search } = lookedAt(pieces);
        const lines = pieces.join("").split("\n").slice(0, -1);
        const first = lines.slice(0, SEARCHED_LINES);
        expect(seen.join("")).toBe(first.map((line) => `${line}\n`).join(""));
        expect(search.isOver).toBe(lines.length >= SEARCHED_LINES);
      }),
    );
  });

  it("S6 gives up on a line that does not end", () => {
    const { seen, search } = lookedAt(Array(SEARCHED_CHARS / 1_024 + 1).fill("x".repeat(1_024)));
    expect(search.isOver).toBe(true);
    expect([search.look("\n"), seen]).toEqual([null, []]);
  });

  it("S6 ends at the first line that takes too long: the next ones would hold everybody up as well", async () => {
    const swarmId = vi.fn(() => {
      throw new Error("too slow");
    });
    const { tasks, executor, ledger } = start({ profile: fakeProfile({ swarmId }) });
    await tasks.create(aTask());
    for (const line of ["one\n", "two\n"]) executor.process.write("stdout", line);
    expect(swarmId).toHaveBeenCalledTimes(1);
    expect(ledger.output(TASK_ID, "end", 100)).toBe("one\ntwo\n");
  });
});
