/** The runs of the test suite, shared out among files so that each core has some. */
import { simulate } from "./simulate.ts";

/** Always the same: what the suite says must not depend on the day. `npm run simulate` looks further. */
export const RUNS = 10_000;

/** Seeds from 1 on that have this remainder. @throws what the first run that failed says, with its seed */
export async function runShare(share: number, ofShares: number): Promise<number> {
  let done = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    if (seed % ofShares !== share) continue;
    await runSeed(seed);
    done++;
  }
  return done;
}

export async function runSeed(seed: number): Promise<void> {
  const { failure } = await simulate(seed);
  if (failure !== null)
    throw new Error(`seed ${seed}: ${failure}\nnpm run simulate -- --seed ${seed} --runs 1 --trace`);
}
