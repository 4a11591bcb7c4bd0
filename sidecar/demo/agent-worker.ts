/** One agent: a thread that does its share of a job and reports each unit as it is done. */
import { parentPort, workerData } from "node:worker_threads";
import { Order } from "./agent-thread.ts";
import { jobOf } from "./work.ts";

const { task, first, step, held } = Order.parse(workerData);
const job = jobOf(task);
for (let unit = first; unit < job.units; unit += step) {
  // Sleeps while it is held, whatever its other thread does.
  Atomics.wait(held, 0, 1);
  parentPort?.postMessage({ unit, value: job.run(unit) });
}
