import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../../../shared/errors.ts";
import { BatchWriter, decodeFrame, encodeAcknowledge, encodeHello } from "../../../shared/relay/batch.ts";
import { RelayFormatError, type RelayRecord } from "../../../shared/relay/records.ts";

const channel = fc.nat(0xffff_ffff);
const text = fc.string({ unit: "grapheme" });
const data = fc.oneof(text, fc.constant("\ufeffmarked"), fc.uint8Array({ maxLength: 2_000 }));
const record: fc.Arbitrary<RelayRecord> = fc.oneof(
  fc.record({ type: fc.constant("message" as const), channel, data, urgent: fc.boolean() }),
  fc.record({
    type: fc.constant("open" as const),
    channel,
    mode: fc.constantFrom("shared" as const, "dedicated" as const),
    client: fc.record({ id: text, subject: text, role: text }),
  }),
  fc.record({ type: fc.constant("credit" as const), channel, bytes: fc.integer({ min: 1 }) }),
  fc.record({ type: fc.constant("close" as const), channel, code: fc.nat(4_999), reason: text }),
  fc.record({
    type: fc.constant("refused" as const),
    channel,
    id: fc.option(text),
    code: fc.constantFrom(...ERROR_CODES),
    message: text,
  }),
  fc.record({
    type: fc.constant("notice" as const),
    channel,
    notice: fc.record({
      type: fc.constant("orchestrator_disconnected" as const),
      state: fc.constant("reconnecting" as const),
      attempt: fc.integer({ min: 1 }),
      delay_ms: fc.nat(),
      timestamp: fc.nat(),
    }),
  }),
  fc.constant({ type: "goaway" as const }),
);
const count = fc.nat(Number.MAX_SAFE_INTEGER);

describe("a link's frames", () => {
  it("R1 carry every record as it was, text as text and bytes as bytes", () => {
    fc.assert(
      fc.property(fc.array(record), count, count, (records, number, acknowledged) => {
        const writer = new BatchWriter();
        for (const one of records) writer.add(one);
        const frame = decodeFrame(writer.take(number, acknowledged));
        expect(frame).toEqual({ type: "batch", number, acknowledged, records });
        expect(writer.bytes).toBe(0);
      }),
    );
  });

  it("R1 carry hellos and acknowledgements", () => {
    const hello = { instance: "a", peer: null, received: 3 };
    expect(decodeFrame(encodeHello(hello))).toEqual({ type: "hello", ...hello });
    expect(decodeFrame(encodeAcknowledge(2 ** 40))).toEqual({ type: "acknowledge", acknowledged: 2 ** 40 });
  });

  it("S8 are refused as a whole when anything in them is not as it should be", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), fc.nat(), fc.nat(255), (records, at, byte) => {
        const writer = new BatchWriter();
        for (const one of records) writer.add(one);
        const frame = writer.take(1, 0);
        const cut = frame.subarray(0, 1 + (at % (frame.length - 1)));
        const bent = frame.slice();
        bent[at % bent.length] = byte;
        for (const bytes of [cut, bent, Uint8Array.of(byte)]) {
          try {
            decodeFrame(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(RelayFormatError);
          }
        }
      }),
    );
  });
});
