/** Both databases for real, in a directory of their own, with what goes wrong put in between. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { onTestFinished } from "vitest";
import type { Alert } from "../../../../sidecar/alerts.ts";
import type { ConfigEdit, ConfigEntry } from "../../../../sidecar/config/entry.ts";
import { normalEntry } from "../../../../sidecar/config/old/rows.ts";
import { OldSqlite } from "../../../../sidecar/config/old/sqlite.ts";
import { openRollout } from "../../../../sidecar/config/rollout/open.ts";
import type { Rollout } from "../../../../sidecar/config/rollout/rollout.ts";
import { ConfigStore } from "../../../../sidecar/config/store/store.ts";
import type { MigrationConfig } from "../../../../sidecar/config.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { makeOldDatabase } from "../../../support/old-database.ts";
import { recordingLog } from "../../../support/recording-log.ts";

/** What is wrong with the store, or with the older database, when it is used. */
export type Faults = {
  newer: () => void;
  older: () => void;
  /** Before the older database is written. */
  standingStill: () => Promise<void>;
  /** Before all of the older database is read. */
  listing: () => Promise<void>;
  /** When the older database ends a change. */
  ending: () => void;
};

class FaultyStore extends ConfigStore {
  fault = () => {};

  override get(name: string) {
    this.fault();
    return super.get(name);
  }
}

class FaultyOld extends OldSqlite {
  fault = () => {};
  standingStill = async () => {};
  listing = async () => {};
  ending = () => {};

  override get(name: string) {
    this.fault();
    return super.get(name);
  }

  override async list() {
    await this.listing();
    return await super.list();
  }

  override async write(edits: readonly ConfigEdit[], last = () => {}) {
    this.fault();
    await this.standingStill();
    await super.write(edits, () => {
      last();
      this.ending();
    });
  }
}

export class Rig {
  readonly clock = new ManualClock();
  readonly alerts: Alert[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), "hivegate-rollout-"));
  readonly oldFile = join(this.directory, "old.db");
  readonly faults: Faults = {
    newer: () => {},
    older: () => {},
    standingStill: async () => {},
    listing: async () => {},
    ending: () => {},
  };
  readonly log = recordingLog();
  isOldAway = false;
  store = this.#openStore();
  #rollout: Rollout | null = null;

  constructor(servers = 20) {
    makeOldDatabase(this.oldFile, { servers, agents: 5, agentsPerServer: 2 });
    onTestFinished(async () => {
      await this.stop();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  get rollout(): Rollout {
    if (!this.#rollout) throw new Error("not started");
    return this.#rollout;
  }

  async start(config: Partial<MigrationConfig> = {}): Promise<Rollout> {
    if (!this.store.db.isOpen) this.store = this.#openStore();
    const all = { useNewSystem: true, mode: "safe", validateBackup: true, autoRollback: true } as const;
    this.#rollout = await openRollout(
      { ...all, oldDatabase: this.oldFile, ...config },
      {
        store: this.store,
        open: async (place) => {
          if (this.isOldAway) throw new Error("it is away");
          const old = new FaultyOld(place, { readOnly: false });
          old.fault = () => this.faults.older();
          old.standingStill = () => this.faults.standingStill();
          old.listing = () => this.faults.listing();
          old.ending = () => this.faults.ending();
          return old;
        },
        alerts: { raise: (alert) => void this.alerts.push(alert) },
        clock: this.clock,
        log: this.log.log,
      },
    );
    return this.#rollout;
  }

  async stop(): Promise<void> {
    await this.#rollout?.close();
    this.#rollout = null;
    if (this.store.db.isOpen) this.store.close();
  }

  async restart(config: Partial<MigrationConfig> = {}): Promise<Rollout> {
    await this.stop();
    return await this.start(config);
  }

  /** As the configurations' owner writes. */
  put(entry: ConfigEntry): Promise<number> {
    return this.#write(entry.name, entry);
  }

  remove(name: string): Promise<number> {
    return this.#write(name, null);
  }

  /** What each of the two says, in the older one's form. */
  async both(): Promise<{ old: ConfigEntry[]; store: ConfigEntry[] }> {
    return { old: await this.inOld((old) => old.list()), store: this.store.list().map(plain) };
  }

  /** Does something to the older database that nobody here knows of. */
  async inOld<T>(work: (old: OldSqlite) => Promise<T>): Promise<T> {
    const old = new OldSqlite(this.oldFile, { readOnly: false });
    try {
      return await work(old);
    } finally {
      await old.close();
    }
  }

  /** Something that only the older system would do. */
  inOldFile(sql: string): void {
    const db = new DatabaseSync(this.oldFile);
    db.exec(sql);
    db.close();
  }

  /** Which path a client reads, and what it says. */
  async read(client: string, name = "server-0"): Promise<{ path: "old" | "new"; entry: ConfigEntry | null }> {
    let path: "old" | "new" = "old";
    const entry = await this.rollout.router.read(client, "get", async (backend) => {
      const entry = await backend.get(name);
      path = backend.kind;
      return entry;
    });
    return { path, entry };
  }

  async #write(name: string, entry: ConfigEntry | null): Promise<number> {
    const edits = [{ name, entry }];
    return await this.rollout.router.write(edits, () => {
      this.faults.newer();
      return this.store.write(edits, { by: "ann", source: "api" }, { nowMs: this.clock.now() }).revision;
    });
  }

  #openStore(): ConfigStore {
    const store = new FaultyStore(join(this.directory, "configs.db"));
    store.fault = () => this.faults.newer();
    return store;
  }
}

/** An entry that the older tables can hold; and one that they cannot. */
export const stdio = (name: string, command = "node", agents: string[] = []): ConfigEntry =>
  normalEntry({ name, config: { command }, agent_names: agents, allowed_tools: ["*"], enabled: true });
export const tcp = (name: string): ConfigEntry => ({
  name,
  config: { type: "tcp", host: "127.0.0.1", port: 9_500 },
  ...{ agent_names: [], allowed_tools: ["*"], enabled: true },
});

export const plain = ({ name, config, agent_names, allowed_tools, enabled }: ConfigEntry): ConfigEntry =>
  normalEntry({ name, config, agent_names, allowed_tools, enabled });
