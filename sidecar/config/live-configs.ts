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
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { Alerts } from "../alerts.ts";
import type { Configs, Expected } from "./configs.ts";
import { Conflicts } from "./conflicts.ts";
import type { Author, ConfigEdit, ConfigEntry } from "./entry.ts";
import type { ConfigRead } from "./file/read.ts";
import { sameEntry } from "./fingerprint.ts";
import { InForce, type InForcePorts } from "./in-force.ts";
import { type FilePorts, Seeding } from "./seeding.ts";
import type { Seed, StoredVersion } from "./store/rows.ts";
import { Turns } from "./turns.ts";

export type WatchedFile = FilePorts & {
  /** `onRead` hears what is there, at first and after each change. */
  watch(onRead: (read: ConfigRead) => void): { close(): Promise<void> };
};

export type LiveConfigsPorts = Omit<InForcePorts, "now"> & {
  file: WatchedFile | null;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
};

export class LiveConfigs implements Configs {
  readonly #ports: LiveConfigsPorts;
  readonly #inForce: InForce;
  readonly #seeding: Seeding;
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
    this.#seeding = new Seeding({ ...ports, inForce: this.#inForce, conflicts: this.#conflicts, now });
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
      if (file) await this.#seeding.hear(await file.read());
      else if (seed) await this.#seeding.merge(seed, { by: seed.source, source: seed.source });
      this.#inForce.takeOver();
    });
    this.#watch =
      file?.watch((read) => void this.#turn(() => this.#seeding.hear(read)).catch(() => {})) ?? null;
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
      servers: store.count,
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
    const { store, router } = this.#ports;
    const revision = store.revision;
    const entries = await router.read(client, "list", (backend) => backend.list());
    const stored = new Map(store.list().map((item) => [item.name, item]));
    return { revision, configs: entries.map((entry) => this.#itemOf(entry, stored.get(entry.name) ?? null)) };
  }

  async ofAgent(client: string, agent: string): Promise<ConfigItem[]> {
    this.#checkOpen();
    const { store, router } = this.#ports;
    const entries = await router.read(client, "ofAgent", (backend) => backend.ofAgent(agent));
    return entries.map((entry) => this.#itemOf(entry, store.get(entry.name)));
  }

  async get(client: string, name: string): Promise<ConfigItem> {
    this.#checkOpen();
    const { store, router } = this.#ports;
    const entry = await router.read(client, "get", (backend) => backend.get(name));
    if (entry === null) throw new HivegateError("unknown_config");
    return this.#itemOf(entry, store.get(name));
  }

  async put(name: string, value: ConfigValue, expected: Expected, author: Author): Promise<ConfigItem> {
    return there(await this.#edit({ name, entry: { name, ...value } }, expected, author));
  }

  putAll(values: ReadonlyMap<string, ConfigValue>, author: Author): Promise<ConfigItem[]> {
    const edits = [...values].map(([name, value]) => ({ name, entry: { name, ...value } }));
    return this.#turn(async () => {
      const unread = this.#revisions(edits);
      await this.#seeding.catchUp();
      await this.#change(edits, author, unread);
      return edits.map(({ name }) => there(this.#ports.store.get(name)));
    });
  }

  async remove(name: string, expected: Expected, author: Author): Promise<void> {
    await this.#edit({ name, entry: null }, expected, author);
  }

  async history(query: {
    name: string | null;
    before: number | null;
    limit: number;
  }): Promise<ConfigHistory> {
    this.#checkOpen();
    const { name, before, limit } = query;
    const versions = this.#ports.store.history(name, before, limit + 1);
    const told = versions.slice(0, limit).map(({ limited: _limited, ...version }) => version);
    return { versions: told, more: versions.length > limit };
  }

  async restore(name: string, revision: number, expected: Expected, by: string): Promise<ConfigItem> {
    this.#checkOpen();
    const version = this.#ports.store.version(name, revision);
    if (!version) throw new HivegateError("unknown_config", "No such version of this server is kept.");
    if (!version.value)
      throw new HivegateError("config_invalid", "It was removed in that version: delete it.");
    const entry = { name, ...version.value };
    return there(await this.#edit({ name, entry }, expected, { by, source: "restore" }, version));
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

  /** `from`: the version that is made the newest. Gives what is there then. */
  #edit(
    edit: ConfigEdit,
    expected: Expected,
    author: Author,
    from: StoredVersion | null = null,
  ): Promise<ConfigItem | null> {
    const { store } = this.#ports;
    const { name } = edit;
    return this.#turn(async () => {
      const unread = this.#revisions([edit]);
      await this.#seeding.catchUp();
      const current = store.get(name);
      if (!meets(expected, current?.revision ?? null)) {
        const isOfTheMoment = meets(expected, unread.get(name) ?? null);
        // The file says the same: both have what they want.
        if (isOfTheMoment && isSame(edit.entry, current)) return current;
        if (isOfTheMoment) this.#keepLost(edit, author);
        throw new HivegateError("precondition_failed", isOfTheMoment ? LOST : undefined);
      }
      if (!edit.entry && !current) throw new HivegateError("unknown_config");
      await this.#change([edit], author, unread, from);
      return store.get(name);
    });
  }

  /** `unread`: the revisions before the file was read just now. */
  async #change(
    edits: readonly ConfigEdit[],
    author: Author,
    unread: ReadonlyMap<string, number | null>,
    from: StoredVersion | null = null,
  ): Promise<void> {
    const read = this.#revisions(edits);
    const limited = new Set(edits.filter((edit) => this.#isLimited(edit, from)).map(({ name }) => name));
    const { made } = await this.#inForce.change({ edits, author, limited });
    for (const [name, kept] of made) {
      const lost = this.#lastRevision(name, kept);
      if (read.get(name) === unread.get(name) || lost === null) continue;
      this.#conflicts.report({ name, kept, lost, message: `changed by the file, then by ${author.by}` });
    }
  }

  /** Whoever changes other things than how a server is started or reached leaves it what it may do. */
  #isLimited({ name, entry }: ConfigEdit, from: StoredVersion | null): boolean {
    if (!entry || from?.limited === false) return false;
    const before = this.#ports.store.get(name);
    const isTheSame = before !== null && canonicalJson(before.config) === canonicalJson(entry.config);
    return !isTheSame || this.#ports.store.limited().has(name);
  }

  /** The file's version is in force; the other one is kept beside it. */
  #keepLost(edit: ConfigEdit, author: Author): void {
    const { store, clock } = this.#ports;
    const kept = this.#lastRevision(edit.name, null);
    const written = store.write([], author, { nowMs: clock.now(), lost: { edits: [edit], author } });
    const lost = written.lost.get(edit.name);
    if (kept === null || lost === undefined) return;
    const message = `changed by the file, and differently by ${author.by} at the same moment`;
    this.#conflicts.report({ name: edit.name, kept, lost, message });
  }

  #lastRevision(name: string, before: number | null): number | null {
    return this.#ports.store.history(name, before, 1)[0]?.revision ?? null;
  }

  #revisions(edits: readonly ConfigEdit[]): Map<string, number | null> {
    return new Map(edits.map(({ name }) => [name, this.#ports.store.get(name)?.revision ?? null]));
  }

  /** What is in the older system alone, because somebody wrote it there, has no version here until it is taken over. */
  #itemOf(
    { name, config, agent_names, allowed_tools, enabled }: ConfigEntry,
    stored: ConfigItem | null,
  ): ConfigItem {
    const { revision, created_at, updated_at } = stored ?? { revision: 1, created_at: 0, updated_at: 0 };
    return { name, config, agent_names, allowed_tools, enabled, revision, created_at, updated_at };
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

  #look(): void {
    if (!this.#heard && !this.#seeding.isAhead && !this.#inForce.isBehind) return;
    const turn = this.#turn(async () => {
      const heard = this.#heard;
      this.#heard = null;
      await (heard ? this.#seeding.hear(heard) : this.#seeding.catchUp());
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

const LOST = "The configuration file changed it at the same moment. Your version is kept in the history.";

const meets = (expected: Expected, revision: number | null): boolean =>
  expected === "any" || (expected === "none" ? revision === null : revision === expected);

const isSame = (one: ConfigEntry | null, other: ConfigEntry | null): boolean =>
  one === null || other === null ? one === other : sameEntry(one, other);

function there(item: ConfigItem | null): ConfigItem {
  if (!item) throw new HivegateError("internal");
  return item;
}
