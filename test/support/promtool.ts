/** Prometheus's own checker of rules. */
import { spawnSync } from "node:child_process";

const runs = (args: readonly string[], input = "") =>
  spawnSync("promtool", args, { encoding: "utf8", input });

/**
 * Whether there is one. Where there has to be (HIVEGATE_REQUIRE_PROMTOOL=1) its absence is an error: a skipped
 * test proves nothing. Elsewhere the skip is said aloud.
 */
export function promtoolAvailable(): boolean {
  if (runs(["--version"]).status === 0) return true;
  if (process.env.HIVEGATE_REQUIRE_PROMTOOL === "1") {
    throw new Error("there is no promtool, and here the alert rules' tests may not be skipped");
  }
  console.warn("SKIPPED: there is no promtool, so the alert rules are not tested. Run .ci/promtool.sh.");
  return false;
}

/** What it says when it objects; null: it does not. `input` is what it reads from standard input. */
export function promtool(args: readonly string[], input?: string): string | null {
  const { status, stdout, stderr } = runs(args, input);
  return status === 0 ? null : stdout + stderr;
}
