/** A vitest reporter: failures in full, everything else in a line per kind of test. */
import { styleText } from "node:util";
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

type Count = { passed: number; failed: number; skipped: number; tookMs: number };

export class Summary implements Reporter {
  readonly #counts = new Map<string, Count>();
  /** Why tests were skipped: whoever skips them says so in a line that begins with `SKIPPED: `. */
  readonly #reasons = new Set<string>();
  #errors = 0;

  onTestModuleEnd(module: TestModule): void {
    const count = this.#countOf(module.project.name);
    count.tookMs += module.diagnostic().duration;
    for (const test of module.children.allTests()) this.#add(count, test);
    for (const error of module.errors()) {
      count.failed++;
      this.#fail(`${module.project.name}  ${module.moduleId}`, error);
    }
  }

  /** What fails before the tests of a suite, or after them: they count as skipped then. */
  onTestSuiteResult(suite: TestSuite): void {
    for (const error of suite.errors()) {
      this.#countOf(suite.project.name).failed++;
      this.#fail(`${suite.project.name}  ${suite.fullName}`, error);
    }
  }

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== "failed") return;
    for (const error of result.errors) this.#fail(`${test.project.name}  ${test.fullName}`, error);
  }

  onUserConsoleLog({ content }: { content: string }): void {
    for (const line of content.split("\n")) if (line.startsWith("SKIPPED: ")) this.#reasons.add(line);
  }

  onTestRunEnd(_modules: unknown, errors: ReadonlyArray<{ message: string; stack?: string }>): void {
    this.#errors = errors.length;
    for (const error of errors) this.#fail("outside of any test", error);
  }

  print(): { passed: number; failed: number } {
    const total: Count = { passed: 0, failed: this.#errors, skipped: 0, tookMs: 0 };
    console.log();
    for (const [kind, count] of this.#counts) {
      const { passed, failed, skipped, tookMs } = count;
      const seconds = `${(tookMs / 1000).toFixed(1)} s`;
      console.log(`${kind.padEnd(10)}${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds}`);
      total.passed += passed;
      total.failed += failed;
      total.skipped += skipped;
    }
    for (const reason of this.#reasons) console.log(styleText("yellow", reason));
    console.log(`tests: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
    return total;
  }

  #countOf(kind: string): Count {
    const count = this.#counts.get(kind) ?? { passed: 0, failed: 0, skipped: 0, tookMs: 0 };
    this.#counts.set(kind, count);
    return count;
  }

  #add(count: Count, test: TestCase): void {
    const result = test.result();
    if (result.state === "passed") count.passed++;
    else if (result.state === "failed") count.failed++;
    else count.skipped++;
  }

  #fail(
    title: string,
    error: { message: string; stack?: string | undefined; diff?: string | undefined },
  ): void {
    console.log(
      `\n${styleText("red", "failed")} ${title}\n${error.stack || error.message}\n${error.diff ?? ""}`,
    );
  }
}
