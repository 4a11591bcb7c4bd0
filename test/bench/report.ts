/** What every benchmark answers with, and the one line of JSON that it ends with. */
export type Goal = { value: number; goal: number; ok: boolean; unit: string };
export type Result = { rounds: number; goals: Record<string, Goal>; raw: Record<string, unknown> };
export type Bench = (options: { quick: boolean }) => Promise<Result>;

export const report = (bench: string, result: Result): string => JSON.stringify({ bench, ...result });

/** A figure that should be at most, or at least, its goal. */
export function goal(value: number, limit: number, rule: "at most" | "at least", unit = "ratio"): Goal {
  const ok = rule === "at most" ? value <= limit : value >= limit;
  return { value: Number(value.toFixed(3)), goal: limit, ok, unit };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * at;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}
