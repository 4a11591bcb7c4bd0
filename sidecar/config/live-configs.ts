/**
 * The configurations that are in force, for whoever reads or changes them. One change is made after the other; the file is read
 * before each, so that who edits it and who uses the API at the same moment meet here.
 */
import type { Clock } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type {
  ConfigChanged,
  ConfigHistory,
  ConfigItem,
  ConfigList,
  ConfigStatus,
  ConfigValue,
  ReloadAnswer,
} from "../../shared/protocol/config.ts";
import type { Alerts } from "../alerts.ts";
import type { Changed, Configs, Expected } from "./configs.ts";
import { Conflicts } from "./conflicts.ts";
import { Editing } from "./editing.ts";
import type { Author, ConfigEntry } from "./entry.ts";
import type { ConfigRead } from "./file/read.ts";
import { InForce, type InForcePorts } from "./in-force.ts";
import { Reading } from "./reading.ts";
import { type FilePorts, Seeding } from "./seeding.ts";
import type { Seed } from "./store/rows.ts";
import { Turns } from "./turns.ts";

export type WatchedFile = FilePorts & {
  /** `onRead` hears what is there, at first and after each change. */
  watch(onRead: (read: ConfigRead) => void): { close(): Promise<void> };
};

export type LiveConfigsPorts = Omit<InForcePorts, "now"> & {
  file: WatchedFile | null;
  /** What counts beside the file: see `Seeding`. */
  beside: ReadonlyMap<string, ConfigEntry> | null;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
};

export class LiveConfigs implements Configs {
  readonly #ports: LiveConfigsPorts;
  readonly #inForce: InForce;
  readonly #seeding: Seeding;
  readonly #editing: Editing;
  readonly #reading: Reading;
  readonly #conflicts: Conflicts;
  readonly #turns = new Turns(LIMITS.configChanges);
  /** What the watcher told and is still to be looked at. */
  #heard: ConfigRead | null = null;
  #watch: { close(): Promise<void> } | null = null;
  #cancelLook: () => void = () => {};
  #isClosed = false;

  constructor(ports: LiveConfigsPorts) {
    this.#ports = ports;
    const now = () => ports.clock.now();
    this.#conflicts = new Conflicts({ alerts: ports.alerts, now });
    this.#inForce = new InForce({ ...ports, now });
    const parts = { ...ports, inForce: this.#inForce, conflicts: this.#conflicts, now };
    this.#seeding = new Seeding(parts);
    this.#editing = new Editing({ ...parts, seeding: this.#seeding });
    this.#reading = new Reading(parts);
  }

  /**
   * Applies what is stored, together with what the file or `seed` says now, which is what is used where there is no file. A
   * file that is refused is in the status: what is stored goes on without it.
   * @throws HivegateError `config_invalid` when it is `seed` that cannot be applied; or as the store
   */
  async start(seed: Seed | null): Promise<void> {
    const { file } = this.#ports;
    await this.#turns.take(async () => {
      this.#inForce.read();
      if (file) {
        await this.#seeding.begin(await file.read());
      }
      if (seed) await this.#seeding.merge(seed, { by: seed.source, source: seed.source });
      this.#inForce.takeOver();
    });
    this.#watch = file?.watch((read) => this.#hear(read)) ?? null;
    this.#lookLater();
  }

  get status(): ConfigStatus {
    const { store } = this.#ports;
    const last = store.last();
    return {
      revision: store.revision,
      changed_at: last?.at ?? null,
      changed_by: last?.by ?? null,
      source: last?.source ?? null,
      servers: store.entries.size,
      file: this.#seeding.file,
      last_error: this.#seeding.failure ?? this.#leftOut(),
      conflicts: this.#conflicts.list,
    };
  }

  reload(by: string): Promise<ReloadAnswer> {
    return this.#turn(async () => {
      const difference = await this.#seeding.reload(by);
      return { ...difference, revision: this.#ports.store.revision };
    });
  }

  async list(client: string): Promise<ConfigList> {
    this.#checkOpen();
    return await this.#reading.list(client);
  }

  async ofAgent(client: string, agent: string): Promise<ConfigItem[]> {
    this.#checkOpen();
    return await this.#reading.ofAgent(client, agent);
  }

  async get(client: string, name: string): Promise<ConfigItem> {
    this.#checkOpen();
    return await this.#reading.get(client, name);
  }

  async put(name: string, value: ConfigValue, expected: Expected, author: Author): Promise<ConfigItem> {
    return there(
      await this.#turn(() => this.#editing.one({ name, entry: { name, ...value } }, expected, author)),
    );
  }

  change(names: readonly string[], changed: Changed, author: Author): Promise<void> {
    return this.#turn(() => this.#editing.all(names, changed, author));
  }

  async remove(name: string, expected: Expected, author: Author): Promise<void> {
    await this.#turn(() => this.#editing.one({ name, entry: null }, expected, author));
  }

  async history(query: {
    name: string | null;
    before: number | null;
    limit: number;
  }): Promise<ConfigHistory> {
    this.#checkOpen();
    const { name, before, limit } = query;
    const versions = this.#ports.store.history(name, before, limit + 1);
    return { versions: versions.slice(0, limit), more: versions.length > limit };
  }

  async restore(name: string, revision: number, expected: Expected, by: string): Promise<ConfigItem> {
    this.#checkOpen();
    const version = this.#ports.store.version(name, revision);
    if (!version) throw new HivegateError("unknown_config", "No such version of this server is kept.");
    if (!version.value)
      throw new HivegateError("config_invalid", "It was removed in that version: delete it.");
    const edit = { name, entry: { name, ...version.value } };
    const author = { by, source: "restore" } as const;
    return there(await this.#turn(() => this.#editing.one(edit, expected, author)));
  }

  whyLeftOut(name: string): string | null {
    return this.#inForce.left.get(name)?.message ?? null;
  }

  onChange(listener: (change: ConfigChanged) => void): () => void {
    return this.#inForce.onChange(listener);
  }

  /** What is under way is finished first. The store is not this one's to close. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelLook();
    await this.#watch?.close();
    await this.#turns.ended();
  }

  #leftOut(): ConfigStatus["last_error"] {
    const [first] = this.#inForce.left;
    if (!first) return null;
    const [name, { message }] = first;
    const version = this.#ports.store.history(name, null, 1)[0];
    if (!version) return null;
    return {
      at: version.at,
      source: version.source,
      message: `${name}: ${message}`,
      line: null,
      column: null,
    };
  }

  /** In its turn, and with what others wrote to the store taken over. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      this.#checkOpen();
      if (this.#inForce.isBehind) this.#inForce.takeOver();
      return work();
    });
  }

  /** What is heard is kept until its turn, which it may have to ask for again. */
  #hear(read: ConfigRead): void {
    this.#heard = read;
    this.#look();
  }

  /** Also where nothing was heard: what others wrote to the store is taken over with each turn. */
  #look(): void {
    const turn = this.#turn(async () => {
      const heard = this.#heard;
      this.#heard = null;
      if (heard) await this.#seeding.hear(heard);
      else if (this.#seeding.isAhead) await this.#seeding.catchUp();
    });
    turn.catch((err: unknown) => {
      if (!this.#isClosed) this.#ports.log.error({ err }, "the configuration could not be taken over");
    });
  }

  #lookLater(): void {
    this.#cancelLook = this.#ports.clock.after(LIMITS.configLookMs, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new HivegateError("shutting_down");
  }
}

function there(item: ConfigItem | null): ConfigItem {
  if (!item) throw new HivegateError("internal");
  return item;
}
