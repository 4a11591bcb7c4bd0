import type { BothPaths, PathSample } from "../../../shared/config/judge.ts";
import { LIMITS } from "../../../shared/limits.ts";

export type PathName = "old" | "new";

/** How reads of late went, by operation and path; at most `LIMITS.pathSamples` of each, and none that is too old. */
export class PathSamples {
  readonly #operations = new Map<string, Record<PathName, PathSample[]>>();

  add(path: PathName, operation: string, sample: PathSample): void {
    const both = this.#operations.get(operation) ?? { old: [], new: [] };
    this.#operations.set(operation, both);
    const samples = both[path];
    samples.push(sample);
    if (samples.length > LIMITS.pathSamples) samples.shift();
  }

  /** Operations are those of our own code: a handful. */
  all(nowMs: number): [operation: string, both: BothPaths][] {
    const fresh = (samples: PathSample[]) => samples.filter(({ atMs }) => atMs > nowMs - LIMITS.pathSampleMs);
    return [...this.#operations].map(([name, both]) => [
      name,
      { old: fresh(both.old), new: fresh(both.new) },
    ]);
  }

  clear(): void {
    this.#operations.clear();
  }
}
