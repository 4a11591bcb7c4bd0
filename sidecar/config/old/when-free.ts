import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../../shared/limits.ts";
import { isLocked } from "../../sqlite/transaction.ts";

const AGAIN_AFTER_MS = 20;

/**
 * Does it as soon as no other program's lock is in the way, for `LIMITS.oldDatabaseLockMs` at most. SQLite's own waiting would
 * hold up the whole process meanwhile.
 * @throws as `work`: with SQLite's "database is locked" when that took too long
 */
export async function whenFree<T>(work: () => T, now: () => number = Date.now): Promise<T> {
  const untilMs = now() + LIMITS.oldDatabaseLockMs;
  for (;;) {
    try {
      return work();
    } catch (thrown) {
      if (!isLocked(thrown) || now() >= untilMs) throw thrown;
    }
    await sleep(AGAIN_AFTER_MS);
  }
}
