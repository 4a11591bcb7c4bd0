/**
 * Writes configurations to both databases without end, and says what was done: `node rollout-writer.ts MODE DIRECTORY SEED [KILLED_AT]`.
 * At write number KILLED_AT it kills itself between the two databases.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { platformClock } from "../../shared/clock.ts";
import type { ConfigEdit } from "../../sidecar/config/entry.ts";
import { normalEntry } from "../../sidecar/config/old/rows.ts";
import { OldSqlite } from "../../sidecar/config/old/sqlite.ts";
import { openRollout } from "../../sidecar/config/rollout/open.ts";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { createLogger } from "../../sidecar/log.ts";
import { seededRandom } from "../bench/rig/random.ts";

const [mode, directory = "", seed = "0", killedAt] = process.argv.slice(2);
if (mode !== "safe" && mode !== "full") throw new Error("MODE: safe or full");
const store = new ConfigStore(join(directory, "configs.db"));
let writes = 0;

function maybeKilled(): void {
  if (writes === Number(killedAt ?? -1)) process.kill(process.pid, "SIGKILL");
}

class KilledOld extends OldSqlite {
  override async write(edits: readonly ConfigEdit[], last = () => {}): Promise<void> {
    if (mode === "full") maybeKilled();
    await super.write(edits, () => {
      last();
      if (mode === "safe") maybeKilled();
    });
  }
}

const { router } = await openRollout(
  {
    ...{ oldDatabase: join(directory, "old.db"), mode, useNewSystem: true },
    ...{ validateBackup: true, autoRollback: true },
  },
  {
    store,
    open: async (place) => new KilledOld(place, { readOnly: false }),
    alerts: { raise: () => {} },
    clock: platformClock,
    log: createLogger({ level: "silent" }),
  },
);
const random = seededRandom(Number(seed));
for (;;) {
  writes++;
  const name = `server-${Math.floor(random() * 10)}`;
  const command = `command-${writes}`;
  const entry =
    random() < 0.2
      ? null
      : normalEntry({ name, config: { command }, agent_names: [], allowed_tools: ["*"], enabled: true });
  const edits = [{ name, entry }];
  writeSync(1, `${JSON.stringify({ begun: name, command: entry && command })}\n`);
  await router.write(
    edits,
    () => store.write(edits, { by: "ann", source: "api" }, { nowMs: writes }).revision,
  );
  writeSync(1, `${JSON.stringify({ done: name })}\n`);
}
