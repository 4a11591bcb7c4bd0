/** `npm run bench -- NAME [--quick]`: prints a table, then one last line of JSON. */
import { parseArgs } from "node:util";
import { age } from "./age.ts";
import { bytes } from "./bytes.ts";
import { calls } from "./calls.ts";
import { clients } from "./clients.ts";
import { fanout } from "./fanout.ts";
import { idle } from "./idle.ts";
import { relay } from "./relay.ts";
import { reload } from "./reload.ts";
import { type Bench, report } from "./report.ts";
import { task } from "./task.ts";

const BENCHES: Record<string, Bench> = { task, fanout, bytes, age, idle, clients, relay, calls, reload };

const { values, positionals } = parseArgs({
  options: { quick: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [name = ""] = positionals;
const bench = BENCHES[name];
if (!bench) {
  console.error(`Usage: npm run bench -- NAME [--quick]; names: ${Object.keys(BENCHES).join(", ")}`);
  process.exit(2);
}
console.log(report(name, await bench({ quick: values.quick })));
