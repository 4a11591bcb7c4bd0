import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { Demultiplexer, MalformedStream } from "../../../sidecar/swarm/docker/demux.ts";

type Frame = { type: number; payload: Uint8Array };

function encode(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(
    frames.map(({ type, payload }) => {
      const header = Buffer.alloc(8);
      header.writeUInt8(type);
      header.writeUInt32BE(payload.length, 4);
      return Buffer.concat([header, payload]);
    }),
  );
}

/** What comes out for these chunks: each stream's text, and the size of the largest piece in bytes. */
function demultiplex(chunks: readonly Uint8Array[]) {
  const out = { stdout: "", stderr: "", largestBytes: 0 };
  const demultiplexer = new Demultiplexer((stream, text) => {
    out[stream] += text;
    out.largestBytes = Math.max(out.largestBytes, Buffer.byteLength(text));
  });
  for (const chunk of chunks) demultiplexer.push(chunk);
  demultiplexer.end();
  return out;
}

function splitAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const decode = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

const frame = fc.record({ type: fc.constantFrom(0, 1, 2), payload: fc.uint8Array({ maxLength: 40 }) });

describe("Docker's multiplexed stream", () => {
  it("H1 gives each stream's text, in order", () => {
    const frames = [
      { type: 1, payload: Buffer.from("out ") },
      { type: 2, payload: Buffer.from("err") },
      { type: 1, payload: Buffer.from("") },
      { type: 1, payload: Buffer.from("more") },
    ];
    expect(demultiplex([encode(frames)])).toMatchObject({ stdout: "out more", stderr: "err" });
  });

  it("H1 gives the same text however the bytes are split, valid UTF-8 or not", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (frames, cuts) => {
          const textOf = (wanted: (type: number) => boolean) =>
            Buffer.concat(frames.filter(({ type }) => wanted(type)).map(({ payload }) => payload));
          const out = demultiplex(splitAt(encode(frames), cuts));
          expect(out.stdout).toBe(decode(textOf((type) => type !== 2)));
          expect(out.stderr).toBe(decode(textOf((type) => type === 2)));
        },
      ),
    );
  });

  it("H1 keeps characters whole that are split between frames of two streams", () => {
    const bee = Buffer.from("🐝");
    const bear = Buffer.from("é漢🐻");
    const frames = Array.from({ length: bear.length }, (_, i) => [
      { type: 2, payload: bear.subarray(i, i + 1) },
      { type: 1, payload: bee.subarray(i, i + 1) },
    ]).flat();
    expect(demultiplex([encode(frames)])).toMatchObject({ stdout: "🐝", stderr: "é漢🐻" });
  });

  it("H1 gives pieces that fit a task's event, text or not", () => {
    const payloads = [Buffer.from("漢".repeat(50_000)), Buffer.alloc(100_000, 0xff)];
    for (const payload of payloads) {
      const out = demultiplex([encode([{ type: 1, payload }])]);
      expect(out.stdout).toBe(decode(payload));
      expect(out.largestBytes).toBeLessThanOrEqual(LIMITS.taskEventBytes);
    }
  });

  it("H1 never takes a malformed stream for output", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 255 }), (type) => {
        const bytes = encode([
          { type: 1, payload: Buffer.from("good") },
          { type, payload: Buffer.from("bad") },
        ]);
        const pieces: string[] = [];
        const demultiplexer = new Demultiplexer((_, text) => pieces.push(text));
        expect(() => demultiplexer.push(bytes)).toThrow(MalformedStream);
        expect(pieces).toEqual(["good"]);
      }),
    );
  });
});
