/**
 * Keeps the older system's database and the store saying the same, for as long as there are both. Where the older one counts (modes
 * `safe` and `rollback`) it is written first, and what it refuses is not done at all: the store is written as the last thing of its
 * transaction, so what the store refuses is not done either. What is in the store is done, should the older one fail after that. Where the store counts (`full`) it is written
 * first, and what the older one does not take comes there later: the store's history after the last revision that came is the list
 * of what waits, so it can neither be lost nor grow beyond one change per server. Killed between the two writes, the next start
 * makes them the same again (`pair`).
 */
import type { Clock } from "../../../shared/clock.ts";
import { asHivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Alerts } from "../../alerts.ts";
import type { Logger } from "../../log.ts";
import { withinMs } from "../../swarm/tasks-deadline.ts";
import type { ConfigEdit } from "../entry.ts";
import type { OldDatabase } from "../old/database.ts";
import type { ConfigStore } from "../store/store.ts";
import type { RolloutMemory } from "./memory.ts";
import type { OldConnection } from "./old-connection.ts";
import { OldWriter } from "./old-writer.ts";
import { Once } from "./once.ts";
import { type OldForm, type PairingPlan, planPairing } from "./pairing.ts";

export type MirrorPorts = {
  /** Which of the two is right about what differs, and is written first. */
  counts: "old" | "store";
  store: ConfigStore;
  old: Pick<OldConnection, "get" | "drop">;
  form: OldForm;
  memory: RolloutMemory;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
  log: Pick<Logger, "info" | "warn">;
};

/** In `full`, how long the answer to a change waits for the older database. */
const FOLLOW_MS = 1_000;
const AUTHOR = { by: "migration", source: "migration" } as const;

export class Mirror {
  readonly #ports: MirrorPorts;
  readonly #writer: OldWriter;
  /** The revision up to which the older database has everything. */
  #mirrored = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #following: Promise<void> | null = null;
  #writes = 0;
  #behindSinceMs: number | null = null;
  #cancelRetry = () => {};
  #begun = 0;
  #isClosed = false;

  constructor(ports: MirrorPorts) {
    this.#ports = ports;
    this.#writer = new OldWriter(ports);
    // What the older database has is not known: the two are compared before anything else.
    this.#writer.isInDoubt = true;
  }

  /** The form of the older database, and of it those that it refused. */
  readonly form: OldForm = {
    canHold: (entry) => (this.refused.has(entry.name) ? "it was refused" : this.#ports.form.canHold(entry)),
    normal: (entry) => this.#ports.form.normal(entry),
  };

  /** Servers that the older database refused for a reason of its own: they are in the store alone. */
  get refused(): ReadonlySet<string> {
    return this.#writer.refused;
  }

  /** Another one than before when either of the two may have been changed by us. */
  get generation(): number {
    return this.#begun + this.#writer.tries;
  }

  /** Whether both should say the same now. */
  get isSettled(): boolean {
    return this.#writes === 0 && !this.isBehind;
  }

  /** Whether the store has, or may have, what the older database has not: that one is not to be read meanwhile. */
  get isBehind(): boolean {
    return this.#writer.isInDoubt || !this.#hasAll();
  }

  get behind(): { servers: number; sinceMs: number | null } {
    const servers = this.isSettled ? 0 : this.#ports.memory.changedAfter(this.#mirrored).size;
    return { servers, sinceMs: servers > 0 ? this.#behindSinceMs : null };
  }

  /**
   * Makes both say the same; which one was right is in the log, and what changed in the store in its history.
   * @throws HivegateError `overloaded` when the older database is away
   */
  pair(): Promise<void> {
    return this.#inTurn(() => this.#pair());
  }

  async write(edits: readonly ConfigEdit[], storeWrite: () => number): Promise<number> {
    if (this.#ports.counts === "store") return await this.#storeFirst(storeWrite);
    const revision = await this.#inTurn(() => this.#oldFirst(edits, storeWrite));
    if (this.isBehind) await withinMs(this.follow(), FOLLOW_MS, undefined);
    return revision;
  }

  /** Brings the older database what it does not have yet; again and again, until it does. Never rejects. */
  follow(): Promise<void> {
    this.#cancelRetry();
    this.#following ??= this.#inTurn(() => this.#follow()).finally(() => {
      this.#following = null;
      if (this.#behindSinceMs === null || this.#isClosed) return;
      this.#cancelRetry = this.#ports.clock.after(LIMITS.oldRetryMs, () => void this.follow());
    });
    return this.#following;
  }

  /** The same, where somebody else changed the store; an older database that is away is not tried more often for that. */
  async notice(): Promise<void> {
    if (this.#behindSinceMs === null) await this.follow();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    await this.#turn;
  }

  async #oldFirst(edits: readonly ConfigEdit[], storeWrite: () => number): Promise<number> {
    // Also where another program wrote to the store: what it changed must have come there before this does.
    if (this.isBehind) await this.#pair();
    const old = await this.#ports.old.get();
    const once = new Once(storeWrite);
    try {
      await this.#writer.write(old, edits, once.do);
    } catch (thrown) {
      if (!once.isDone) throw thrown;
      const revision = once.do();
      this.#ports.log.warn({ err: thrown }, "the older database did not finish a change that the store has");
      this.#writer.isInDoubt = true;
      return revision;
    }
    const revision = once.do();
    this.#cameTo(old, revision);
    return revision;
  }

  async #storeFirst(storeWrite: () => number): Promise<number> {
    const revision = storeWrite();
    this.#begun++;
    const followed = this.follow();
    if (this.#behindSinceMs === null) await withinMs(followed, FOLLOW_MS, undefined);
    return revision;
  }

  /** Never rejects. */
  async #follow(): Promise<void> {
    const { store, memory } = this.#ports;
    try {
      const old = await this.#ports.old.get();
      if (this.#writer.isInDoubt) await this.#pair();
      // Also what was changed while the two were compared.
      while (!this.#isClosed && this.#mirrored !== store.revision) {
        const { revision } = store;
        const names = [...memory.changedAfter(this.#mirrored)];
        await this.#writer.writeEach(
          old,
          names.map((name) => ({ name, entry: store.get(name) })),
        );
        this.#cameTo(old, revision);
      }
      this.#behindSinceMs = null;
    } catch (thrown) {
      this.#fellBehind(thrown);
    }
  }

  #fellBehind(thrown: unknown): void {
    this.#behindSinceMs ??= this.#ports.clock.now();
    this.#ports.log.warn({ err: thrown }, "the older database did not take a change, and is tried again");
    this.#ports.alerts.raise({
      kind: "old_database_behind",
      message: "The older database does not have the last changes. It gets them when it can be reached.",
      details: {
        servers: this.#ports.memory.changedAfter(this.#mirrored).size,
        why: asHivegateError(thrown).message,
      },
    });
  }

  async #pair(): Promise<void> {
    const { counts, store, memory, clock } = this.#ports;
    const old = await this.#ports.old.get();
    const mirror = memory.mirror(old.identity);
    this.#writer.refused.clear();
    const there = await this.#writer.list(old);
    // Nothing waits from here until the store has what it lacks, so no change comes between.
    const plan = planPairing(
      {
        old: there,
        store: store.list(),
        pending: mirror ? memory.changedAfter(mirror.revision) : new Set(),
        isFirst: mirror === null,
        counts,
      },
      this.#ports.form,
    );
    if (plan.toStore.length > 0) store.write(plan.toStore, AUTHOR, { nowMs: clock.now() });
    const { revision } = store;
    this.#begun++;
    await this.#writer.writeEach(old, plan.toOld);
    this.#writer.isInDoubt = false;
    this.#behindSinceMs = null;
    this.#cameTo(old, revision);
    this.#tellPaired(plan, mirror === null);
  }

  #tellPaired({ toOld, toStore }: PairingPlan, isFirst: boolean): void {
    if (toOld.length + toStore.length === 0) return;
    const names = (edits: ConfigEdit[]) => edits.slice(0, 10).map(({ name }) => name);
    const details = {
      ...{ to_older: toOld.length, to_newer: toStore.length },
      servers: [...names(toOld), ...names(toStore)],
    };
    const message =
      "The older database and the newer one differed. They are the same again; see the history.";
    if (isFirst || toStore.length === 0) this.#ports.log.info(details, message);
    else this.#ports.alerts.raise({ kind: "old_database_differs", message, details });
  }

  /** Where that cannot be kept, what came there comes there once more, after a restart. */
  #cameTo(old: OldDatabase, revision: number): void {
    const { memory, log } = this.#ports;
    try {
      const { identity } = old;
      if (memory.mirror(identity)?.revision !== revision) memory.keepMirror({ identity, revision });
    } catch (err) {
      log.warn({ err }, "how far the older database came could not be kept");
    }
    this.#mirrored = revision;
  }

  #hasAll(): boolean {
    try {
      return this.#mirrored === this.#ports.store.revision;
    } catch {
      // A store that cannot be read has nothing to read that is newer.
      return true;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      this.#writes++;
      this.#begun++;
      try {
        return await work();
      } finally {
        this.#writes--;
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }
}
