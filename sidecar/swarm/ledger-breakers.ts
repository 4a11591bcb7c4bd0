import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Logger } from "../log.ts";

/** Breakers remembered; the one longest unchanged is forgotten first, and so begins closed. */
const BREAKERS = 1_000;

/**
 * Where circuit breakers are kept over a restart, beside the tasks. What cannot be written is lost with a line
 * in the log: a breaker that starts closed costs a few failed calls, one that throws would cost all of them.
 */
export class LedgerBreakers {
  readonly #load: StatementSync;
  readonly #save: StatementSync;
  readonly #forget: StatementSync;
  readonly #forgetOldest: StatementSync;
  readonly #log: Logger;

  constructor(db: DatabaseSync, log: Logger) {
    this.#log = log;
    this.#load = db.prepare("SELECT state FROM breakers WHERE name = ?");
    // Replacing gives a new row id: they tell which changed last.
    this.#save = db.prepare("INSERT OR REPLACE INTO breakers (name, state) VALUES (?, ?)");
    this.#forget = db.prepare("DELETE FROM breakers WHERE name = ?");
    this.#forgetOldest = db.prepare(
      "DELETE FROM breakers WHERE rowid <= (SELECT rowid FROM breakers ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
    );
  }

  /** What was saved under this name; null when there is nothing that can be read. */
  load(name: string): unknown {
    try {
      const row = this.#load.get(name);
      return row ? JSON.parse(String(row.state)) : null;
    } catch (err) {
      this.#log.warn({ err, breaker: name }, "the state of a circuit breaker cannot be read");
      return null;
    }
  }

  save(name: string, state: object): void {
    try {
      this.#save.run(name, JSON.stringify(state));
      this.#forgetOldest.run(BREAKERS);
    } catch (err) {
      this.#log.warn({ err, breaker: name }, "the state of a circuit breaker cannot be kept");
    }
  }

  /** What it was the circuit of is there no more, or is to be tried anew. */
  forget(name: string): void {
    try {
      this.#forget.run(name);
    } catch (err) {
      this.#log.warn({ err, breaker: name }, "the state of a circuit breaker cannot be forgotten");
    }
  }
}
