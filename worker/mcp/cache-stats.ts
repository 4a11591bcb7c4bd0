/** How often the cache had the answer, by hive and tool. Each isolate or process counts for itself, from its start on. */
import { LIMITS } from "../../shared/limits.ts";

/** `joined`: those of the misses that another call's answer was shared with. */
export type CacheCounts = { hits: number; misses: number; joined: number };

type Kept = { label: string; result: string; keptMs: number };

/** `hit_rate`: hits among all that may have been one, from 0 to 1; null: nothing was asked. `oldest_ms`: null, nothing is kept. */
export type ToolCacheReport = CacheCounts & {
  tool: string;
  hit_rate: number | null;
  kept: number;
  oldest_ms: number | null;
};
export type CacheReport = CacheCounts & {
  hit_rate: number | null;
  kept: number;
  tools: ToolCacheReport[];
};

export class CacheStats {
  readonly #hives = new Map<string, Map<string, CacheCounts>>();

  count(hive: string, label: string, what: keyof CacheCounts): void {
    const tools = this.#hives.get(hive) ?? new Map<string, CacheCounts>();
    const name = tools.has(label) || tools.size < LIMITS.cacheFigures ? label : OTHERS;
    const counts = tools.get(name) ?? { hits: 0, misses: 0, joined: 0 };
    counts[what]++;
    tools.set(name, counts);
    this.#hives.set(hive, tools);
  }

  report(
    hive: string,
    answers: readonly Kept[],
    { sees, nowMs }: { sees: (label: string) => boolean; nowMs: number },
  ): CacheReport {
    const keptOf = Map.groupBy(answers, ({ label }) => label);
    const tools = [...(this.#hives.get(hive) ?? [])]
      .filter(([label]) => sees(label))
      .map(([label, counts]): ToolCacheReport => {
        const kept = keptOf.get(label) ?? [];
        const firstMs = kept.reduce((first, { keptMs }) => Math.min(first, keptMs), nowMs);
        const oldestMs = kept.length === 0 ? null : nowMs - firstMs;
        return { tool: label, ...rated(counts), kept: kept.length, oldest_ms: oldestMs };
      });
    const sum = (of: (tool: ToolCacheReport) => number) => tools.reduce((total, tool) => total + of(tool), 0);
    const counts = {
      hits: sum(({ hits }) => hits),
      misses: sum(({ misses }) => misses),
      joined: sum(({ joined }) => joined),
    };
    return { ...rated(counts), kept: sum(({ kept }) => kept), tools };
  }
}

/** Tools beyond those that are counted by name. */
const OTHERS = "other";

function rated(counts: CacheCounts): CacheCounts & { hit_rate: number | null } {
  const asked = counts.hits + counts.misses;
  return { ...counts, hit_rate: asked === 0 ? null : counts.hits / asked };
}
