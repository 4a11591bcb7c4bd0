/**
 * `npm test [-- filter …]`: builds the page, runs every kind of test, fast ones first, and tells on one
 * screen what ran, what was skipped and why. The last line is `tests: N passed, N failed, N skipped`.
 */
import { execFileSync } from "node:child_process";
import { startVitest } from "vitest/node";
import { Summary } from "./support/summary.ts";

execFileSync(process.execPath, ["worker/page/build.ts"], { stdio: "inherit" });

const summary = new Summary();
const vitest = await startVitest("test", process.argv.slice(2), {
  watch: false,
  reporters: [summary],
  passWithNoTests: false,
});
await vitest.close();
const { failed, passed } = summary.print();
// Nothing run is no success.
process.exit(failed > 0 || passed === 0 ? 1 : 0);
