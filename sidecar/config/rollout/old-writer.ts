import { asHivegateError, HivegateError, isOurFault } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Alerts } from "../../alerts.ts";
import { within } from "../../mcp/within.ts";
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import type { OldDatabase } from "../old/database.ts";
import { away, type OldConnection } from "./old-connection.ts";
import { editsForOld, type OldForm } from "./pairing.ts";

/** Writes to the older database, within a limit of time. What is said of failures is fit for a client. */
export class OldWriter {
  /** Servers that it refused for a reason of its own: they are in the store alone. */
  readonly refused = new Set<string>();
  /** What it was told took too long, and may still be done. */
  isInDoubt = false;
  /** Another one after each try. */
  tries = 0;
  #late: Promise<void> | null = null;
  readonly #ports: { form: OldForm; alerts: Pick<Alerts, "raise">; old: Pick<OldConnection, "drop"> };

  constructor(ports: { form: OldForm; alerts: Pick<Alerts, "raise">; old: Pick<OldConnection, "drop"> }) {
    this.#ports = ports;
  }

  list(old: OldDatabase): Promise<ConfigEntry[]> {
    return this.#ask(old, () => old.list());
  }

  /**
   * All of them or none; `last` is done in the same transaction, unless that takes too long.
   * @throws HivegateError
   */
  async write(old: OldDatabase, edits: readonly ConfigEdit[], last = () => {}): Promise<void> {
    if (edits.length === 0) return last();
    this.tries++;
    let isOver = false;
    const inTime = () => {
      if (isOver) throw new HivegateError("timeout");
      last();
    };
    try {
      await this.#ask(old, () => old.write(editsForOld(edits, this.#ports.form), inTime));
    } finally {
      isOver = true;
    }
    for (const { name } of edits) this.refused.delete(name);
  }

  /**
   * All but those that it refuses: one of them does not keep the rest away.
   * @throws HivegateError when it is not the fault of any of them
   */
  async writeEach(old: OldDatabase, edits: readonly ConfigEdit[]): Promise<void> {
    try {
      await this.write(old, edits);
    } catch (thrown) {
      if (isOurFault(asHivegateError(thrown))) throw thrown;
      if (edits.length > 1) for (const edit of edits) await this.writeEach(old, [edit]);
      else this.#refuse(edits[0]?.name ?? "", thrown);
    }
  }

  #refuse(name: string, thrown: unknown): void {
    this.refused.add(name);
    this.#ports.alerts.raise({
      kind: "old_database_differs",
      message: `The older database refuses the server ${name}: it is in the newer one alone.`,
      details: { why: asHivegateError(thrown).message },
    });
  }

  /** What is late may still come: nothing else is begun before it has, or it would undo that. */
  async #ask<T>(old: OldDatabase, work: () => Promise<T>): Promise<T> {
    const late = () => new HivegateError("timeout");
    if (this.#late) await within(this.#late, LIMITS.oldWriteMs, late);
    const asked = Promise.resolve().then(work);
    try {
      return await within(asked, LIMITS.oldWriteMs, late);
    } catch (thrown) {
      if (thrown instanceof HivegateError && thrown.code === "timeout") this.#isLate(old, asked);
      throw away(thrown);
    }
  }

  #isLate(old: OldDatabase, asked: Promise<unknown>): void {
    this.#ports.old.drop(old);
    this.isInDoubt = true;
    this.#late = asked
      .catch(() => {})
      .then(() => {
        this.#late = null;
      });
  }
}
