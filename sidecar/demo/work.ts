/**
 * What a task's text asks for, as real work in many small units. Pure: the same text makes the same job in
 * the queen and in every worker, so only the text and unit numbers travel between threads.
 */
import { hash } from "node:crypto";
import { HivegateError } from "../../shared/errors.ts";
import { DEMO_LIMITS } from "./limits.ts";

export type UnitValue = number | string;
export type JobResult = Record<string, number | string>;

export type Job = {
  /** Units are numbered from 0; each can be done by anybody, in any order. At least 1. */
  readonly units: number;
  run(unit: number): UnitValue;
  /** `values` in the order of their units. */
  combine(values: readonly UnitValue[]): JobResult;
};

const PRIMES = /^count\s+primes\s+(below|up\s+to)\s+(\d[\d,_]*)\.?$/i;

/** @throws HivegateError `invalid_request` when the text asks for more than the demo does */
export function jobOf(task: string): Job {
  const [, bound, digits] = PRIMES.exec(task.trim()) ?? [];
  if (bound === undefined || digits === undefined) return hashJob(task, { units: 100, rounds: 20_000 });
  const number = Number(digits.replace(/[,_]/g, ""));
  if (number > DEMO_LIMITS.primesBelow) {
    throw new HivegateError(
      "invalid_request",
      `The demo swarm counts primes up to ${DEMO_LIMITS.primesBelow} at most. Ask for a smaller number.`,
    );
  }
  return primesJob(bound.toLowerCase() === "below" ? number : number + 1);
}

/** Counts the primes in [0, below) by trial division: slow on purpose, so that there is work to watch. */
export function primesJob(below: number): Job {
  const units = Math.min(400, Math.max(1, Math.ceil(below / 10_000)));
  const edge = (unit: number) => Math.floor((below * unit) / units);
  return {
    units,
    run: (unit) => countPrimes(edge(unit), edge(unit + 1)),
    combine: (values) => ({ below, primes: values.reduce<number>((sum, value) => sum + Number(value), 0) }),
  };
}

/** `units` chains of `rounds` SHA-256 each, begun from the text and the unit's number, then one over all. */
export function hashJob(text: string, size: { units: number; rounds: number }): Job {
  return {
    units: size.units,
    run: (unit) => {
      let digest = hash("sha256", `${unit}:${text}`, "buffer");
      for (let round = 1; round < size.rounds; round++) digest = hash("sha256", digest, "buffer");
      return digest.toString("hex");
    },
    combine: (values) => ({ sha256: hash("sha256", values.join("")), rounds: size.units * size.rounds }),
  };
}

function countPrimes(from: number, to: number): number {
  let count = 0;
  for (let n = from; n < to; n++) if (isPrime(n)) count++;
  return count;
}

function isPrime(n: number): boolean {
  if (n < 4) return n >= 2;
  if (n % 2 === 0 || n % 3 === 0) return false;
  for (let divisor = 5; divisor * divisor <= n; divisor += 6) {
    if (n % divisor === 0 || n % (divisor + 2) === 0) return false;
  }
  return true;
}
