import { describe, expect, it } from "vitest";
import { withoutControls } from "../../../shared/client/plain-text.ts";
import { duration } from "../../../shared/client/time-text.ts";
import { scriptSafe } from "../../../worker/page/build.ts";
import { bytes, percent, share } from "../../../worker/page/format.ts";
import { OutputLines } from "../../../worker/page/output-lines.ts";

describe("figures on the page", () => {
  it("U1 S2 shows what is unknown as a dash, and nought as nought", () => {
    expect([percent(null), share(undefined), bytes(null)]).toEqual(["–", "–", "–"]);
    expect([percent(0), share(0), bytes(0)]).toEqual(["0.0 %", "0 %", "0 B"]);
  });

  it("U1 says 100 % only for what is done", () => {
    expect([share(0.999), share(1)]).toEqual(["99 %", "100 %"]);
  });

  it("U1 reads sizes and durations in their nearest unit", () => {
    expect([999, 1_000, 27_400_000, 999_950_000].map(bytes)).toEqual(["999 B", "1.0 kB", "27 MB", "1.0 GB"]);
    expect([0, 9_940, 59_999, 60_000, 3_700_000, -5].map(duration)).toEqual([
      "0.0 s",
      "9.9 s",
      "59 s",
      "1 min 00 s",
      "1 h 01 min",
      "0.0 s",
    ]);
  });
});

describe("OutputLines", () => {
  const texts = (output: OutputLines) => output.lines.map(({ text }) => text);

  it("U1 joins lines that come in pieces, each stream for itself", () => {
    const output = new OutputLines();
    output.add("stdout", "on");
    output.add("stderr", "oops\n");
    output.add("stdout", "e\ntwo\n\nfour");
    expect(texts(output)).toEqual(["one", "oops", "two", "", "four"]);
  });

  it("U1 keeps the object of a line that has not changed", () => {
    const output = new OutputLines();
    output.add("stdout", "one\ntw");
    const [one, two] = output.lines;
    output.add("stdout", "o");
    expect(output.lines[0]).toBe(one);
    expect(output.lines[1]).not.toBe(two);
  });

  it("U1 S6 keeps the last 2,000 lines", () => {
    const output = new OutputLines();
    output.add("stdout", Array.from({ length: 2_500 }, (_, n) => `${n}\n`).join(""));
    expect([output.lines.length, texts(output)[0]]).toEqual([2_000, "500"]);
  });

  it("U1 S6 shows a line without end up to a limit", () => {
    const output = new OutputLines();
    for (let n = 0; n < 100; n++) output.add("stdout", "x".repeat(1_000));
    expect(texts(output)[0]?.length).toBeLessThan(5_000);
  });

  it("U1 shows what a terminal would: the last state of a line that is overwritten, without colours", () => {
    const output = new OutputLines();
    output.add("stdout", "10 %\r20 %\r");
    output.add("stdout", "\u001b[32mdone\u001b[0m\r\n");
    expect(texts(output)).toEqual(["done"]);
  });
});

describe("text from strangers", () => {
  it("U1 U3 loses colours, titles, cursor moves and bells, and keeps tabs, line ends and letters", () => {
    expect(withoutControls("\u001b]0;title\u0007a\tb\n\u001b[1;31mü\u001b[0m\u0007\u009b\u001bM[x]")).toBe(
      "a\tb\nü[x]",
    );
  });

  it("U1 S8 cannot end the page's script early", () => {
    expect(scriptSafe('a="</script>";b="</SCRIPT x";c="<!--"')).toBe(
      'a="<\\/script>";b="<\\/SCRIPT x";c="<\\!--"',
    );
  });
});
