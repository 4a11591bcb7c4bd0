/** The configurations that are in force: what is stored, and what is applied of it. A change is made here, whole or not at all. */
import { differenceOf, isNoDifference } from "../../shared/config/difference.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ConfigChanged, ConfigDifference } from "../../shared/protocol/config.ts";
import type { Logger } from "../log.ts";
import type { McpServerConfig } from "../mcp/server-config.ts";
import type { Applied, Applying } from "./applied.ts";
import type { Author, ConfigEdit, ConfigEntry, StoredConfig } from "./entry.ts";
import type { EntryProblem } from "./file/expand.ts";
import { shapeOfKept } from "./file/shape.ts";
import type { Place } from "./file/text.ts";
import { sameConfig, sameEntry } from "./fingerprint.ts";
import type { ConfigRouter } from "./router.ts";
import type { Seed } from "./store/rows.ts";
import type { ConfigStore, Written } from "./store/store.ts";

export type InForcePorts = {
  store: ConfigStore;
  router: ConfigRouter;
  applying: Applying;
  /** Makes these the servers that there are. It does not fail. */
  apply(servers: readonly McpServerConfig[]): unknown;
  now(): number;
  log: Logger;
};

export type Change = {
  edits: readonly ConfigEdit[];
  author: Author;
  /** What is the base of the next merge. */
  seed?: Seed;
  /** Names for which the rules of the API hold afterwards, out of `edits`; none. */
  limited?: ReadonlySet<string>;
  /** Where in a text something is, for the one who has to correct it. */
  placeOf?: (name: string, path: EntryProblem["path"]) => Place;
};

/** A configuration that cannot be applied, with its place where there is a text. */
export class ConfigRefused extends HivegateError {
  /** Without the place. */
  readonly reason: string;
  readonly place: Place | null;

  constructor(reason: string, place: Place | null) {
    super("config_invalid", place ? `line ${place.line}, column ${place.column}: ${reason}` : reason);
    this.reason = reason;
    this.place = place;
  }
}

export class InForce {
  readonly #ports: InForcePorts;
  #entries: ReadonlyMap<string, StoredConfig> = new Map();
  #left: Applied["left"] = new Map();
  #mark = "";
  #revision = 0;
  readonly #listeners = new Set<(change: ConfigChanged) => void>();

  constructor(ports: InForcePorts) {
    this.#ports = ports;
  }

  /** By name, in the order in which they came. */
  get entries(): ReadonlyMap<string, StoredConfig> {
    return this.#entries;
  }

  /** The store's, as of what is in force. */
  get revision(): number {
    return this.#revision;
  }

  /** Those that are enabled and cannot be applied. */
  get left(): ReadonlyMap<string, EntryProblem> {
    return this.#left;
  }

  /** Whether somebody else wrote to the store. */
  get isBehind(): boolean {
    return this.#mark !== this.#ports.store.mark;
  }

  /** Reads what is stored, to be applied together with what the file says. */
  read(): void {
    const { entries, applied } = this.#stored();
    this.#entries = entries;
    this.#left = applied.left;
  }

  /** Applies what is stored, whoever stored it. */
  takeOver(): ConfigDifference {
    const { store, apply, log } = this.#ports;
    // First, so that what cannot be applied is not tried again and again.
    this.#mark = store.mark;
    this.#revision = store.revision;
    const { entries, applied } = this.#stored();
    apply(applied.servers);
    const difference = differenceOf(this.#entries, entries, isSameVersion);
    for (const [server, { message }] of applied.left)
      if (this.#left.get(server)?.message !== message)
        log.warn({ server, message }, "MCP server is left out");
    this.#entries = entries;
    this.#left = applied.left;
    if (!isNoDifference(difference)) this.#tell(difference);
    return difference;
  }

  /**
   * Checks all that there would be, stores, applies, tells. Whatever is thrown, nothing was changed.
   * @throws ConfigRefused; HivegateError `precondition_failed`, `overloaded`; or as the store or the router
   */
  async change(change: Change): Promise<Written & { difference: ConfigDifference }> {
    const { store, router, now } = this.#ports;
    const { edits, author, seed, limited = new Set() } = change;
    this.#check(change);
    const expected = new Map(edits.map(({ name }) => [name, this.#entries.get(name)?.revision ?? null]));
    const written: Written[] = [];
    await router.write(edits, () => {
      const outcome = store.write(edits, author, { nowMs: now(), expected, limited, ...(seed && { seed }) });
      written.push(outcome);
      return outcome.revision;
    });
    const [outcome = NOTHING_WRITTEN] = written;
    return { ...outcome, difference: this.takeOver() };
  }

  onChange(listener: (change: ConfigChanged) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What was left out before does not stand in the way of a change that has nothing to do with it. */
  #check({ edits, limited = new Set(), placeOf }: Change): void {
    const after = new Map<string, ConfigEntry>(this.#entries);
    const limitedAfter = new Set(this.#ports.store.limited);
    for (const { name, entry } of edits) {
      if (entry) after.set(name, entry);
      else after.delete(name);
      if (limited.has(name)) limitedAfter.add(name);
      else limitedAfter.delete(name);
    }
    if (after.size > LIMITS.configServers && after.size > this.#entries.size)
      throw new ConfigRefused(`at most ${LIMITS.configServers} servers may be configured`, null);
    const much = this.#ports.store.tooMuch(edits);
    if (much) throw refusalOf(much.name, { message: much.message, path: [] }, placeOf);
    const edited = new Set(edits.map(({ name }) => name));
    const { left } = this.#ports.applying.of(after.values(), limitedAfter);
    for (const [name, { message, path }] of [...this.#misshapen(edits), ...left]) {
      if (!edited.has(name) && this.#left.has(name)) continue;
      throw refusalOf(name, { message, path }, placeOf);
    }
  }

  /** Those that are not to be enabled, and could not be one day as they are written. What they had before is nobody's mistake now. */
  *#misshapen(edits: readonly ConfigEdit[]): Generator<[string, EntryProblem]> {
    for (const { name, entry } of edits) {
      const before = this.#entries.get(name);
      if (!entry || entry.enabled || (before && sameConfig(before, entry))) continue;
      const shape = shapeOfKept(entry.config);
      if ("message" in shape) yield [name, shape];
    }
  }

  #stored(): { entries: ReadonlyMap<string, StoredConfig>; applied: Applied } {
    const { store, applying } = this.#ports;
    const { entries, limited } = store;
    return { entries, applied: applying.of(entries.values(), limited) };
  }

  #tell(difference: ConfigDifference): void {
    const { store, now, log } = this.#ports;
    const change: ConfigChanged = {
      ...{ type: "config_changed", ...difference, revision: store.revision, timestamp: now() },
    };
    const [added, changed, removed] = [difference.added, difference.changed, difference.removed].map(
      ({ length }) => length,
    );
    log.info({ added, changed, removed, revision: change.revision }, "the configuration changed");
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (err) {
        log.error({ err }, "somebody could not be told that the configuration changed");
      }
    }
  }
}

/** Another program may write, and leave the revision. */
const isSameVersion = (one: StoredConfig, other: StoredConfig): boolean =>
  one === other || (one.revision === other.revision && sameEntry(one, other));

/** `name` null: it is about all of them. */
function refusalOf(
  name: string | null,
  { message, path }: EntryProblem,
  placeOf: Change["placeOf"],
): ConfigRefused {
  if (name === null) return new ConfigRefused(message, null);
  return new ConfigRefused(
    `${[name, ...path.map(String)].join(".")}: ${message}`,
    placeOf?.(name, path) ?? null,
  );
}

const NOTHING_WRITTEN: Written = { revision: 0, made: new Map(), lost: new Map() };
