/**
 * Regular expressions out of a file, for lines that a swarm printed: its operator wrote the one, any client may have
 * shaped the other. What is read is limited, and so is the time: V8 breaks an expression off that backtracks for ever.
 */
import { createContext, Script } from "node:vm";
import { z } from "zod";

const PATTERN_CHARS = 200;
/** A longer line fits no pattern. */
const LINE_CHARS = 4_096;
/** For one pattern and all lines that it is tried on; above it there is no answer. */
const TRY_MS = 100;

/** A regular expression of JavaScript, with the flag `u`. */
export const Pattern = z
  .string()
  .min(1)
  .max(PATTERN_CHARS)
  .refine((pattern) => groupsOf(pattern) !== null, "expected a regular expression of JavaScript");

export const PatternOfOne = Pattern.refine(
  (pattern) => groupsOf(pattern) === 1,
  "expected exactly one group: (…)",
);

/** How many groups it captures; null when it is no pattern. */
function groupsOf(pattern: string): number | null {
  try {
    return (new RegExp(`${pattern}|`, "u").exec("")?.length ?? 1) - 1;
  } catch {
    return null;
  }
}

const sandbox: { pattern?: string; lines?: readonly string[] } = createContext(Object.create(null));
const FITS = new Script(`(() => {
  const expression = new RegExp(pattern, "u");
  return JSON.stringify(lines.flatMap((line) => {
    const fit = expression.exec(line);
    return fit ? [{ groups: fit.slice(1).map((group) => group ?? null), named: fit.groups ?? {} }] : [];
  }));
})()`);
const Fits = z.array(
  z.object({ groups: z.array(z.string().nullable()), named: z.record(z.string(), z.string()) }),
);
export type Fit = z.infer<typeof Fits>[number];

/** What a pattern captures in each line that it fits; null when it takes too long to know. */
export function fitsOf(pattern: string, lines: readonly string[]): Fit[] | null {
  sandbox.pattern = pattern;
  sandbox.lines = lines.filter((line) => line.length <= LINE_CHARS);
  try {
    return Fits.parse(JSON.parse(String(FITS.runInContext(sandbox, { timeout: TRY_MS }))));
  } catch {
    return null;
  }
}

export const fitsAny = (pattern: string, lines: readonly string[]): boolean =>
  (fitsOf(pattern, lines)?.length ?? 0) > 0;

/** The lines of an output, without their ends. */
export const linesOf = (output: string): string[] => output.split(/\r?\n/);
