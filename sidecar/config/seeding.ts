/** Takes over what the file, MCP_SERVERS or the default says, and knows how that went. */
import { differenceOf, isNoDifference } from "../../shared/config/difference.ts";
import { reconcile } from "../../shared/config/reconcile.ts";
import type { ConfigDifference, ConfigStatus } from "../../shared/protocol/config.ts";
import type { Alerts } from "../alerts.ts";
import type { Logger } from "../log.ts";
import type { Conflicts } from "./conflicts.ts";
import type { Author, ConfigEntry } from "./entry.ts";
import { parseConfigFile } from "./file/parse.ts";
import { type ConfigRead, isSameRead } from "./file/read.ts";
import type { Place } from "./file/text.ts";
import { FileState } from "./file-state.ts";
import { sameEntry } from "./fingerprint.ts";
import { type Change, ConfigRefused, type InForce } from "./in-force.ts";
import type { Seed } from "./store/rows.ts";
import type { ConfigStore } from "./store/store.ts";

export type FilePorts = {
  name: string;
  read(): Promise<ConfigRead>;
};

export type SeedingPorts = {
  store: ConfigStore;
  inForce: InForce;
  conflicts: Conflicts;
  /** Null: there is none. */
  file: FilePorts | null;
  /** What MCP_SERVERS says: these are there whatever the file says. Null: it is not set. */
  beside: ReadonlyMap<string, ConfigEntry> | null;
  alerts: Pick<Alerts, "raise">;
  now(): number;
  log: Logger;
};

type Failure = NonNullable<ConfigStatus["last_error"]>;

export class Seeding {
  readonly #ports: SeedingPorts;
  readonly #file: FileState | null;
  #failure: Failure | null = null;

  constructor(ports: SeedingPorts) {
    this.#ports = ports;
    const seed = ports.store.seed();
    this.#file = ports.file && new FileState(ports.file.name, seed?.source === "file" ? seed.readAtMs : null);
  }

  get file(): ConfigStatus["file"] {
    return this.#file?.status ?? null;
  }

  /** Of the last attempt, if that failed. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /** Whether the file may be another one than the watcher is going to tell of. */
  get isAhead(): boolean {
    return this.#file?.isAhead ?? false;
  }

  /**
   * Takes over what is said at the start: where the file is not there, or is bad, what counts beside it, and what it said last.
   * @throws ConfigRefused; or as the store
   */
  async begin(read: ConfigRead): Promise<void> {
    await this.hear(read);
    const { beside, store } = this.#ports;
    if (this.#file?.isTaken || beside === null) return;
    const base = store.seed();
    const source = base?.source === "file" ? "file" : "environment";
    const ofFile = base?.source === "file" ? [...base.entries].filter(([name]) => !isBeside(base, name)) : [];
    const seed: Seed = { source, entries: new Map([...ofFile, ...beside]), beside: new Set(beside.keys()) };
    await this.merge(seed, { by: "MCP_SERVERS", source: "environment" });
  }

  /** What the watcher found. Never throws: what is wrong is in the status, and in the log. */
  async hear(read: ConfigRead): Promise<void> {
    const { log } = this.#ports;
    const file = this.#file;
    if (!file) return;
    // What is told may be older than what was read meanwhile.
    const isOld = file.isAhead && !isSameRead(read, await this.#read());
    file.told(read);
    if (read.state === "missing") log.warn({ file: file.name }, "there is no such file; nothing changes");
    else if (read.state === "unreadable") this.#fail(unreadable(read.why), null);
    else if (file.isInForce(read.text)) this.#failure = null;
    else if (!isOld && !file.isDecided(read.text)) await this.#try(read.text);
  }

  /** Reads the file as it is now, where it can be read and is whole: what the watcher hears is not forestalled. */
  async catchUp(): Promise<void> {
    const read = await this.#read();
    const file = this.#file;
    if (!file || read?.state !== "text" || file.isDecided(read.text)) return;
    const parsed = parseConfigFile(read.text);
    if (!parsed.ok) return;
    await this.#try(read.text);
  }

  /** @throws ConfigRefused; or as the store */
  async reload(by: string): Promise<ConfigDifference> {
    const read = await this.#read();
    const file = this.#file;
    if (!file || read === null || read.state === "missing") return { added: [], changed: [], removed: [] };
    if (read.state === "unreadable") throw new ConfigRefused(unreadable(read.why), null);
    return this.#take(read.text, { by, source: "file" });
  }

  /**
   * Merges it with what is in force.
   * @throws ConfigRefused; or as the store
   */
  async merge(seed: Seed, author: Author, placeOf?: Change["placeOf"]): Promise<ConfigDifference> {
    const { store, inForce, conflicts } = this.#ports;
    const base = store.seed();
    const before = inForce.entries;
    const merged = reconcile(
      { base: base?.entries ?? new Map<string, ConfigEntry>(), seed: seed.entries, store: before },
      sameEntry,
    );
    if (base && isSameSeed(base, seed)) return { added: [], changed: [], removed: [] };
    const written = await inForce.change({ edits: merged.edits, author, seed, ...(placeOf && { placeOf }) });
    for (const name of merged.conflicts) {
      const kept = written.made.get(name);
      const lost = before.get(name)?.revision ?? lastRevision(store, name, kept);
      if (kept !== undefined && lost !== null)
        conflicts.report({
          name,
          kept,
          lost,
          message: `changed through the API, then differently by ${author.by}`,
        });
    }
    return written.difference;
  }

  async #read(): Promise<ConfigRead | null> {
    return (await this.#ports.file?.read()) ?? null;
  }

  /** What is wrong is in the status. What is not the file's fault is tried again: it counts as not decided on. */
  async #try(text: string): Promise<void> {
    await this.#take(text, { by: this.#file?.name ?? "", source: "file" }).catch(() => {});
  }

  async #take(text: string, author: Author): Promise<ConfigDifference> {
    const { now, log } = this.#ports;
    const parsed = parseConfigFile(text);
    try {
      if (!parsed.ok) throw new ConfigRefused(parsed.problem.message, parsed.problem);
      const beside = this.#ports.beside ?? new Map<string, ConfigEntry>();
      const doubled = parsed.entries.find(({ name }) => beside.has(name));
      if (doubled)
        throw new ConfigRefused(
          `${doubled.name}: MCP_SERVERS has a server of this name`,
          parsed.placeOf(doubled.name, []),
        );
      const entries = new Map([...beside, ...parsed.entries.map((entry) => [entry.name, entry] as const)]);
      const seed: Seed = { source: "file", entries, beside: new Set(beside.keys()) };
      const difference = await this.merge(seed, author, parsed.placeOf);
      this.#file?.taken(text, parsed.warnings, now());
      this.#failure = null;
      return difference;
    } catch (thrown) {
      if (thrown instanceof ConfigRefused) {
        this.#file?.refused(text);
        this.#fail(thrown.reason, thrown.place);
      } else {
        if (this.#failure?.message !== NOT_STORED) log.error({ err: thrown }, "the file could not be stored");
        this.#fail(NOT_STORED, null);
      }
      throw thrown;
    }
  }

  #fail(message: string, place: Place | null): void {
    const { alerts, now } = this.#ports;
    const { line = null, column = null } = place ?? {};
    // What is tried again and again is told once.
    if (this.#failure?.message !== message)
      alerts.raise({
        kind: "config_refused",
        message: `The file of MCP servers is refused: ${message}`,
        details: { file: this.#file?.name ?? null, line, column },
      });
    this.#failure = { at: now(), source: "file", message, line, column };
  }
}

const NOT_STORED = "it could not be stored, which is tried again: see the log";
const unreadable = (why: string): string => `it cannot be read: ${why}`;

const isSameSeed = (one: Seed, other: Seed): boolean =>
  one.source === other.source &&
  isNoDifference(differenceOf(one.entries, other.entries, sameEntry)) &&
  [...one.entries.keys()].every((name) => isBeside(one, name) === isBeside(other, name));

const isBeside = ({ beside }: Seed, name: string): boolean => beside?.has(name) ?? false;

/** Of the version before the one that was made now. */
const lastRevision = (store: ConfigStore, name: string, before: number | undefined): number | null =>
  store.history(name, before ?? null, 1)[0]?.revision ?? null;
