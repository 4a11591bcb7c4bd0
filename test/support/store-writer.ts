/**
 * A process that changes the store of configurations `argv[2]` and kills itself on the way: before statement number
 * `argv[3]` of the change, where the moment after its commit counts as one. Says how many there were if there were fewer.
 */
import { DatabaseSync, StatementSync } from "node:sqlite";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { writeNew } from "./store-change.ts";

const [file = "", killAt] = process.argv.slice(2);
const store = new ConfigStore(file);
let statements = 0;

function count(): void {
  statements++;
  if (statements === Number(killAt)) process.kill(process.pid, "SIGKILL");
}

DatabaseSync.prototype.exec = new Proxy(DatabaseSync.prototype.exec, {
  apply(exec, db, [sql]: [string]) {
    count();
    Reflect.apply(exec, db, [sql]);
    if (sql === "COMMIT") count();
  },
});
StatementSync.prototype.run = new Proxy(StatementSync.prototype.run, {
  apply(run, statement, given) {
    count();
    return Reflect.apply(run, statement, given);
  },
});

writeNew(store);
process.stdout.write(String(statements));
