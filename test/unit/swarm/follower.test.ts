import { appendFileSync, mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { Follower } from "../../../sidecar/swarm/process/follower.ts";
import { OutputFiles } from "../../../sidecar/swarm/process/output-files.ts";

function outputFiles(): OutputFiles {
  const dir = mkdtempSync(join(tmpdir(), "hivegate-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return new OutputFiles(dir);
}

describe("the end of a task's output", () => {
  it("S6 is where it was when the task ended, however fast what it left running writes on", () => {
    const files = outputFiles();
    const written = "x".repeat(100_000);
    appendFileSync(files.path("stdout"), written);
    let delivered = "";
    let moreBytes = 2_000_000;
    const follower = new Follower(
      files,
      (_, piece) => {
        delivered += piece;
        // Faster than it is read, for as long as a test can bear.
        const more = Math.min(moreBytes, 3 * piece.length);
        appendFileSync(files.path("stdout"), "y".repeat(more));
        moreBytes -= more;
      },
      () => {},
    );
    follower.finish();
    expect(delivered).toBe(written);
  });

  it("S6 is the limit when the task wrote more, and what still writes is ended", () => {
    const files = outputFiles();
    const limitBytes = 4 * LIMITS.taskOutputBytes;
    truncateSync(files.path("stdout"), limitBytes + 100_000);
    appendFileSync(files.path("stderr"), "all of it");
    const bytes = { stdout: 0, stderr: 0 };
    let last = "";
    const overLimit = vi.fn();
    const follower = new Follower(
      files,
      (stream, piece) => {
        bytes[stream] += piece.length;
        last = piece;
      },
      overLimit,
    );
    follower.finish();
    expect(bytes.stdout).toBe(limitBytes);
    expect(last).toMatch(/wrote more than \d+ bytes/);
    expect(bytes.stderr).toBe("all of it".length + last.length);
    expect(overLimit).toHaveBeenCalledOnce();
  });
});
