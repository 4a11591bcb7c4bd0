/** `npm run simulate -- [--runs N] [--seed S] [--trace]`: runs from seed S on; stops at the first that fails. */
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    /** Prints what happens. */
    trace: { type: "boolean", default: false },
    /** Goes on after a failure, and counts. */
    all: { type: "boolean", default: false },
  },
});
const runs = Number(values.runs);
const first = Number(values.seed);
if (!Number.isInteger(runs) || !Number.isInteger(first) || runs < 1) {
  console.error("Usage: npm run simulate -- [--runs N] [--seed S] [--trace] [--all]");
  process.exit(2);
}

const startMs = performance.now();
const total = { failed: 0, frames: 0, gaps: 0, simulatedMs: 0 };
let done = 0;
for (let seed = first; seed < first + runs; seed++) {
  const run = await simulate(seed, values.trace ? console.log : null);
  done++;
  total.frames += run.frames;
  total.gaps += run.gaps;
  total.simulatedMs += run.simulatedMs;
  if (run.failure === null) continue;
  total.failed++;
  console.error(`seed ${seed} failed: ${run.failure}`);
  if (!values.all) break;
}
const seconds = (performance.now() - startMs) / 1000;
const hours = total.simulatedMs / 3_600_000;
console.log(
  `${done} runs from seed ${first} in ${seconds.toFixed(1)} s: ${(done / seconds).toFixed(0)} runs/s, ` +
    `${total.frames} frames, ${total.gaps} gaps (all healed but where it failed), ` +
    `${hours.toFixed(1)} simulated hours, ${total.failed} failed`,
);
process.exit(total.failed > 0 ? 1 : 0);
