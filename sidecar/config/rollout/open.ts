import { performance } from "node:perf_hooks";
import type { Clock } from "../../../shared/clock.ts";
import type { Alerts } from "../../alerts.ts";
import type { MigrationConfig } from "../../config.ts";
import type { Logger } from "../../log.ts";
import type { OpenOldDatabase } from "../old/database.ts";
import { canHold } from "../old/plan.ts";
import { normalEntry } from "../old/rows.ts";
import { asBackend } from "../store/backend.ts";
import type { ConfigStore } from "../store/store.ts";
import { RolloutController } from "./controller.ts";
import { RolloutMemory } from "./memory.ts";
import { Mirror } from "./mirror.ts";
import { OldConnection } from "./old-connection.ts";
import { oldPath, StoreOnly } from "./old-path.ts";
import type { OldForm } from "./pairing.ts";
import { PathSamples } from "./path-samples.ts";
import { noRollout, type Rollout, rolloutOf } from "./rollout.ts";
import { TwoPaths } from "./two-paths.ts";

export type RolloutPorts = {
  store: ConfigStore;
  open: OpenOldDatabase;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
  log: Logger;
};

const FORM: OldForm = { canHold, normal: normalEntry };

/**
 * Before anything is read from the store or written to it: both databases say the same then.
 * @throws HivegateError when the older database cannot be used, where it is the one that counts (modes `safe` and `rollback`)
 */
export async function openRollout(config: MigrationConfig, ports: RolloutPorts): Promise<Rollout> {
  const { oldDatabase: place, autoRollback: automatic } = config;
  const { store, open, alerts, clock, log } = ports;
  if (place === null) return noRollout(store);
  const mode = config.useNewSystem ? config.mode : "rollback";
  const memory = new RolloutMemory(store.db, log);
  const samples = new PathSamples();
  const old = new OldConnection(() => open(place, { readOnly: false }), clock);
  const counts = mode === "full" ? "store" : "old";
  const shared = { alerts, clock, log };
  const mirror = new Mirror({ counts, store, old, form: FORM, memory, ...shared });
  const controller = new RolloutController({
    ...{ mode, automatic, memory, samples, pair: () => mirror.pair(), ...shared },
  });
  const storeOnly = new StoreOnly({ store, memory, form: FORM, refused: () => mirror.refused });
  const paths = new TwoPaths({
    ...{ mode, mirror, samples, clock, log },
    store: asBackend(store),
    readOld: (read, withinMs) => old.use((database) => read(oldPath(database, storeOnly)), withinMs),
    percent: () => controller.percent,
    trouble: (trouble) => controller.found(trouble),
    timer: () => performance.now(),
  });
  const rollout = rolloutOf({
    ...{ mode, automatic, paths, controller, mirror, samples, old, now: () => clock.now() },
  });
  try {
    await (mode === "full" ? mirror.follow() : mirror.pair());
    return rollout;
  } catch (thrown) {
    await rollout.close();
    throw thrown;
  }
}
