import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter, LineTooLong } from "../../../shared/wire/lines.ts";
import { EventParser, formatEvent } from "../../../shared/wire/sse.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The text in chunks cut at these places. */
function chunks(text: string, cuts: number[]): Uint8Array[] {
  const whole = bytes(text);
  const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  return places.slice(1).map((end, i) => whole.subarray(places[i], end));
}

describe("lines of a byte stream", () => {
  it("H9 are the same however the stream is cut", () => {
    const line = fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, " "));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (lines, cuts) => {
        // Lone surrogates do not survive UTF-8; what the encoder makes of them is what must arrive.
        const text = lines.map((each) => `${each}\n`).join("");
        const splitter = new LineSplitter(1_000, { keepEmpty: true });
        const got = chunks(text, cuts).flatMap((chunk) => splitter.push(chunk));
        expect(got).toEqual(
          lines.map((each) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(each))),
        );
      }),
    );
  });

  it("S6 that outgrow the limit end the stream with an error", () => {
    const splitter = new LineSplitter(4);
    expect(splitter.push(bytes("1234"))).toEqual([]);
    expect(() => splitter.push(bytes("56789\n"))).toThrow(LineTooLong);
  });

  it("H9 lose their carriage return, and empty ones are left out", () => {
    expect(new LineSplitter(100).push(bytes("a\r\n\r\n\nb\n"))).toEqual(["a", "b"]);
  });
});

describe("server-sent events", () => {
  it("H1 come back as they were written, comments left out", () => {
    const parser = new EventParser();
    const text = `: keep-alive\n\n${formatEvent({ id: 7, event: "output", data: '{"a":1}' })}`;
    const events = text.split("\n").flatMap((line) => parser.push(line) ?? []);
    expect(events).toEqual([{ id: "7", event: "output", data: '{"a":1}' }]);
  });
});
