import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { OutputSink } from "../../../sidecar/swarm/executor.ts";
import { OutputFiles } from "../../../sidecar/swarm/process/output-files.ts";

it("H9 delivers a task's output once and in order, however it is written and however often it is reopened", () => {
  const step = fc.record({ bytes: fc.nat({ max: 9 }), deliver: fc.boolean(), reopen: fc.boolean() });
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.array(step, { maxLength: 20 }),
      (text, steps) => {
        const dir = mkdtempSync(join(tmpdir(), "hivegate-test-"));
        let files = new OutputFiles(dir);
        let delivered = "";
        const kept = { stdout: 0, stderr: 0 };
        const deliverAll = (endBytes: number | null) => {
          const keep: OutputSink = (stream, piece, throughBytes = 0) => {
            delivered += piece;
            kept[stream] = throughBytes;
          };
          while (files.deliverPiece("stdout", keep, endBytes));
        };
        let rest = Buffer.from(text);
        for (const { bytes, deliver, reopen } of steps) {
          appendFileSync(files.path("stdout"), rest.subarray(0, bytes));
          rest = rest.subarray(bytes);
          if (deliver) deliverAll(null);
          if (reopen) {
            files.close();
            files = new OutputFiles(dir, kept);
          }
        }
        appendFileSync(files.path("stdout"), rest);
        const { stdout: endBytes } = files.writtenBytes();
        appendFileSync(files.path("stdout"), "what comes after the end");
        deliverAll(endBytes);
        files.close();
        rmSync(dir, { recursive: true });
        expect(delivered).toBe(Buffer.from(text).toString());
      },
    ),
  );
});
