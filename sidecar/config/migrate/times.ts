/** How long operations take on the older system and on the store, each in turn, so that a busy moment falls on both. */
import { COMPARE_RULE, type CompareRule, compareTimes } from "../../../shared/config/compare.ts";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import type { Timed } from "./source.ts";

const OPERATIONS = ["list", "get", "of_agent", "write"] as const;
type Operation = (typeof OPERATIONS)[number];

export type OperationTimes = {
  operation: Operation;
  /** Medians, in milliseconds, to a thousandth. */
  before_ms: number | null;
  after_ms: number | null;
  verdict: ReturnType<typeof compareTimes>["verdict"];
};

/** Of what is slow: the fewest that the comparison can be as sure of as of many, which then takes all of them to agree. */
const LEAST_ROUNDS = 12;
/** Of what is quick so many, within this time for each operation. */
const MOST_ROUNDS = 400;
const BUDGET_MS = 500;
const RULE: CompareRule = { ...COMPARE_RULE, samples: LEAST_ROUNDS };

type Clock = () => number;

/** `after` is a copy. What cannot be asked on both sides, without harm to either, is left out. */
export async function compareOperations(
  before: Timed,
  after: ConfigBackend,
  entries: readonly ConfigEntry[],
  nowMs: Clock,
  onDone: (done: number, total: number) => Promise<void>,
): Promise<OperationTimes[]> {
  const compared: OperationTimes[] = [];
  const operations = OPERATIONS.filter((operation) => operation !== "write" || before.isCopy);
  for (const [index, operation] of operations.entries()) {
    const times = await timed(operation, before.backend, after, entries, nowMs);
    if (times) compared.push(times);
    await onDone(index + 1, operations.length);
  }
  return compared;
}

async function timed(
  operation: Operation,
  before: ConfigBackend,
  after: ConfigBackend,
  entries: readonly ConfigEntry[],
  nowMs: Clock,
): Promise<OperationTimes | null> {
  const samples: { before: number[]; after: number[] } = { before: [], after: [] };
  const asked = operation === "of_agent" ? entries.filter((entry) => entry.agent_names.length > 0) : entries;
  const endMs = nowMs() + BUDGET_MS;
  for (let round = 0; round < MOST_ROUNDS && (round < LEAST_ROUNDS || nowMs() < endMs); round++) {
    // Spread over all of them by a step that has no factor in common with what people's numbers of things have.
    const entry = asked[(round * 7919) % asked.length];
    if (!entry) return null;
    const ask = questionOf(operation, entry, round, Math.floor(round / asked.length));
    // Who comes first finds caches that the other has used: that changes sides.
    for (const side of round % 2 === 0 ? (["before", "after"] as const) : (["after", "before"] as const)) {
      const startMs = nowMs();
      await ask(side === "before" ? before : after);
      samples[side].push(nowMs() - startMs);
    }
  }
  const { verdict } = compareTimes(samples.before, samples.after, RULE);
  return { operation, before_ms: medianOf(samples.before), after_ms: medianOf(samples.after), verdict };
}

function questionOf(
  operation: Operation,
  entry: ConfigEntry,
  round: number,
  lap: number,
): (backend: ConfigBackend) => Promise<unknown> {
  switch (operation) {
    case "list":
      return (backend) => backend.list();
    case "get":
      return (backend) => backend.get(entry.name);
    case "of_agent": {
      const agent = entry.agent_names[round % entry.agent_names.length] ?? "";
      return (backend) => backend.ofAgent(agent);
    }
    case "write": {
      // A change that both can hold whatever the entry is, and each time it is one.
      const changed = { ...entry, enabled: entry.enabled === (lap % 2 === 1) };
      return (backend) => backend.write([{ name: entry.name, entry: changed }]);
    }
  }
}

function medianOf(samples: readonly number[]): number | null {
  const median = samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)];
  return median === undefined ? null : Math.round(median * 1_000) / 1_000;
}
