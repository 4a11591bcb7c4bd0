import type { BothPaths, PathSample } from "../../../shared/config/judge.ts";
import { LIMITS } from "../../../shared/limits.ts";

export type PathName = "old" | "new";

/** Since the start. */
export type ReadCount = { path: PathName; operation: string; outcome: "ok" | "failed"; count: number };

/**
 * How reads went, by operation and path; operations are those of our own code: a handful. Of each at most `LIMITS.pathSamples`
 * are kept, and none that is too old.
 */
export class PathSamples {
  readonly #operations = new Map<string, Record<PathName, PathSample[]>>();
  readonly #counts = new Map<string, ReadCount>();

  add(path: PathName, operation: string, sample: PathSample): void {
    const both = this.#operations.get(operation) ?? { old: [], new: [] };
    this.#operations.set(operation, both);
    const samples = both[path];
    samples.push(sample);
    if (samples.length > LIMITS.pathSamples) samples.shift();
    this.#count(path, operation, sample.failed ? "failed" : "ok");
  }

  get counts(): Iterable<ReadCount> {
    return this.#counts.values();
  }

  all(nowMs: number): [operation: string, both: BothPaths][] {
    const fresh = (samples: PathSample[]) => samples.filter(({ atMs }) => atMs > nowMs - LIMITS.pathSampleMs);
    return [...this.#operations].map(([name, both]) => [
      name,
      { old: fresh(both.old), new: fresh(both.new) },
    ]);
  }

  /** What is counted stays. */
  clear(): void {
    this.#operations.clear();
  }

  #count(path: PathName, operation: string, outcome: ReadCount["outcome"]): void {
    const key = `${path} ${outcome} ${operation}`;
    const counted = this.#counts.get(key) ?? { path, operation, outcome, count: 0 };
    counted.count++;
    this.#counts.set(key, counted);
  }
}
