/** One agent: a thread that does its share of a job and reports each unit as it is done. */
import { parentPort, workerData } from "node:worker_threads";
import { Share } from "./agent-thread.ts";
import { jobOf } from "./work.ts";

const { task, first, step } = Share.parse(workerData);
const job = jobOf(task);
for (let unit = first; unit < job.units; unit += step) {
  parentPort?.postMessage({ unit, value: job.run(unit) });
}
