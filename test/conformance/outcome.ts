/** What a run of the suite found, and what of it is worse behind the gateway than without. Pure. */
import { z } from "zod";

const STATUSES = ["SUCCESS", "INFO", "SKIPPED", "WARNING", "FAILURE"] as const;
export const Check = z.object({
  id: z.string(),
  status: z.enum(STATUSES),
  errorMessage: z.string().optional(),
});
export type Check = z.infer<typeof Check>;

/** The checks of each scenario that was run. */
export type Outcome = ReadonlyMap<string, readonly Check[]>;

export type Worse = { scenario: string; check: string; alone: string; behind: string; message: string };

/** One line of the list of what is expected not to pass behind: what exactly, and why that is right. */
export const Expected = z.strictObject({
  revision: z.string(),
  scenario: z.string(),
  check: z.string(),
  reason: z.string().min(20),
});
export type Expected = z.infer<typeof Expected>;

const ABSENT = "absent";

/** A check may be made several times in a scenario: the worst counts, as in the suite's own verdicts. */
function worst(checks: readonly Check[], id: string): Check | undefined {
  const same = checks.filter((check) => check.id === id);
  return same.toSorted((a, b) => STATUSES.indexOf(b.status) - STATUSES.indexOf(a.status))[0];
}

/** What passes alone and does not behind; one that is not made at all behind does not pass. */
export function worseBehind(alone: Outcome, behind: Outcome): Worse[] {
  const found: Worse[] = [];
  for (const [scenario, checks] of alone) {
    for (const id of new Set(checks.map(({ id }) => id))) {
      const before = worst(checks, id)?.status ?? ABSENT;
      // What fails alone says nothing of the gateway, nor does what only informs.
      if (before === "FAILURE" || before === "INFO") continue;
      const after = worst(behind.get(scenario) ?? [], id);
      // Neither good nor bad, says the suite: such as JSON where a stream was allowed too.
      const passes = after !== undefined && [before, "SUCCESS", "INFO"].includes(after.status);
      if (!passes)
        found.push({
          scenario,
          check: id,
          alone: before,
          behind: after?.status ?? ABSENT,
          message: after?.errorMessage ?? "",
        });
    }
  }
  return found;
}

/** How many scenarios have no failing check, of how many. */
export function score(outcome: Outcome): { passed: number; of: number } {
  const passed = [...outcome.values()].filter((checks) => checks.every(({ status }) => status !== "FAILURE"));
  return { passed: passed.length, of: outcome.size };
}

/** Parts what is worse into what was expected and what was not; `stale`: expected, and it passes. */
export function sortOut(
  worse: readonly Worse[],
  expected: readonly Expected[],
): { unexpected: Worse[]; expected: Worse[]; stale: Expected[] } {
  const same = (one: Worse, other: Expected) => one.scenario === other.scenario && one.check === other.check;
  return {
    unexpected: worse.filter((one) => !expected.some((other) => same(one, other))),
    expected: worse.filter((one) => expected.some((other) => same(one, other))),
    stale: expected.filter((other) => !worse.some((one) => same(one, other))),
  };
}
