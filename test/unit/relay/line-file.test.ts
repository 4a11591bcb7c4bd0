import { existsSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LineFile } from "../../../sidecar/relay/line-file.ts";
import { scratchDirectory } from "../sidecar/fakes.ts";

function start(file = join(scratchDirectory(), "lines"), fileBytes = 1_000_000) {
  const counts = { lost: 0, failed: 0 };
  const lines = new LineFile({
    ...{ file, fileBytes },
    lost: () => void counts.lost++,
    failed: () => void counts.failed++,
  });
  onTestFinished(() => lines.close());
  return { file, lines, counts };
}

describe("a file of lines", () => {
  it("R5 keeps the lines in their order, and all of them when it is closed at once", async () => {
    const { file, lines } = start();
    const all = Array.from({ length: 10_000 }, (_, n) => `${n}\n`);
    for (const line of all) lines.write(line);
    await lines.close();
    lines.write("too late\n");
    expect(readFileSync(file, "utf8")).toBe(all.join(""));
  });

  it("S6 is whole when it was moved aside in the moment of its end", async () => {
    const { file, lines } = start(undefined, 100);
    for (let n = 0; n < 3; n++) lines.write(`${n}${"x".repeat(60)}\n`);
    await lines.close();
    const both = [`${file}.1`, file].filter((one) => existsSync(one)).map((one) => readFileSync(one, "utf8"));
    const numbers = both.join("").split("\n");
    expect(numbers.map((line) => line[0])).toEqual(["0", "1", "2", undefined]);
  });

  it.skipIf(!existsSync("/dev/full"))(
    "S6 loses nothing over a full disk before there is too much",
    async () => {
      const file = join(scratchDirectory(), "lines");
      symlinkSync("/dev/full", file);
      const line = `${"x".repeat(99_999)}\n`;
      const { lines, counts } = start(file, 84 * line.length);
      for (let n = 0; n < 5; n++) lines.write(line);
      await vi.waitUntil(() => counts.failed > 0, 5_000);
      for (let n = 0; n < 80; n++) lines.write(line);
      // 8 MiB of them wait, and what is not written moves no file aside.
      expect([counts.lost, existsSync(`${file}.1`)]).toEqual([2, false]);
      rmSync(file);
      await vi.waitUntil(() => existsSync(file) && statSync(file).size === 83 * line.length, 5_000);
      expect(readFileSync(file, "utf8") === line.repeat(83)).toBe(true);
      expect([counts.failed, existsSync(`${file}.1`)]).toEqual([1, false]);
    },
  );
});
