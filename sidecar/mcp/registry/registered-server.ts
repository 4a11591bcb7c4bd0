import { createHash } from "node:crypto";
import { type Clock, pause } from "../../../shared/clock.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { RegistryServer, ToolEntry } from "../../../shared/protocol/tools.ts";
import type { Logger } from "../../log.ts";
import type { Notification } from "../json-rpc-session.ts";
import { type Mirrored, mirroredIn } from "../mirrored-arguments.ts";
import type { Upstream } from "../upstream.ts";
import { type Listing, listServer } from "./listing.ts";
import { type ServerSettings, toolEntryOf } from "./tool-entry.ts";

export type RegisteredServerOptions = {
  upstream: Upstream;
  settings: ServerSettings;
  clock: Clock;
  log: Logger;
  /** Hears what the server says unasked. */
  heard: (notification: Notification) => void;
  /** Hears that what is known has changed, other than by the server's own notice, which `Upstream` brings. */
  changed: () => void;
};

type Known = Derived & {
  listing: Listing;
  digest: string;
  listedAtMs: number;
  /** The connection, and the notices before it, that it is the answer to. */
  connections: number;
  notices: number;
};

/** What follows from a listing. */
type Derived = {
  entries: ToolEntry[];
  /** Tools that may be called twice for one call: they only read, or a second time changes nothing. */
  repeatable: ReadonlySet<string>;
  /** Which arguments of each tool have to be in headers too. */
  mirrored: ReadonlyMap<string, readonly Mirrored[]>;
};

type Flight = { startedMs: number; landed: Promise<void> };

/** What one server offers, as it was last listed: on first need, and again when that may be out of date. */
export class RegisteredServer {
  readonly upstream: Upstream;
  readonly #options: RegisteredServerOptions;
  readonly #closing = new AbortController();
  #settings: ServerSettings;
  #status: RegistryServer["status"] = "unknown";
  #known: Known | null = null;
  #flight: Flight | null = null;
  /** How often the server said that one of its lists has changed. */
  #notices = 0;
  /** How often something else has changed: what a listing showed, its status, its settings, or a resource, as it says. */
  #changes = 0;

  constructor(options: RegisteredServerOptions) {
    this.#options = options;
    this.upstream = options.upstream;
    this.#settings = options.settings;
    const stop = this.upstream.onNotification((notification) => this.#heard(notification));
    this.#closing.signal.addEventListener("abort", stop, { once: true });
  }

  get name(): string {
    return this.upstream.name;
  }

  get status(): RegistryServer["status"] {
    return this.#status;
  }

  /** What it offered last; null before it was listed. */
  get listing(): Listing | null {
    return this.#known?.listing ?? null;
  }

  /** Grows whenever something of it may have changed. */
  get version(): number {
    return this.#notices + this.#changes + this.upstream.connections;
  }

  /**
   * Resolves when what is known is as new as it can be had, at once where it is. A listing that takes long is waited for
   * up to a limit from its beginning, by all who wait for it together.
   */
  async upToDate(): Promise<void> {
    if (this.isUpToDate) return;
    const { clock } = this.#options;
    const { notices, flight } = { notices: this.#notices, flight: this.#fly() };
    const mostMs = this.#status === "unavailable" ? LIMITS.failedListingWaitMs : LIMITS.listingWaitMs;
    const waitMs = flight.startedMs + mostMs - clock.now();
    if (waitMs <= 0) return;
    const done = new AbortController();
    const listed = flight.landed.then(() => (this.#isBefore(notices) ? this.#fly().landed : undefined));
    await Promise.race([listed, pause(clock, waitMs, done.signal)]);
    done.abort();
  }

  /** Whether the server said of this tool that it only reads, or that calling it twice is as calling it once. */
  mayRepeat(tool: string): boolean {
    return this.#known?.repeatable.has(tool) ?? false;
  }

  /** Which of the tool's arguments have to be in headers too. */
  mirrored(tool: string): readonly Mirrored[] {
    return this.#known?.mirrored.get(tool) ?? [];
  }

  /** As the registry tells it. */
  entry(): Omit<RegistryServer, "version"> {
    return {
      name: this.name,
      status: this.#status,
      era: this.#known?.listing.info.era ?? null,
      category: this.#settings.category,
      tools: this.#known?.entries ?? [],
    };
  }

  /** It is configured in another way; what was listed is what it was. */
  configure(settings: ServerSettings): void {
    this.#settings = settings;
    this.#changes++;
    if (!this.#known) return;
    const listing = allowedIn(this.#known.listing, settings);
    this.#known = { ...this.#known, listing, digest: digestOf(listing), ...derivedFrom(listing, settings) };
  }

  /** It is not listed from now on, and whoever waits for that goes on. */
  close(): void {
    this.#closing.abort();
  }

  /** What is known is as new as it can be had. */
  get isUpToDate(): boolean {
    const known = this.#known;
    if (!known || this.#status !== "available") return false;
    const { isOpen, connections } = this.upstream;
    if (!isOpen || known.connections !== connections || this.#isBefore(this.#notices)) return false;
    const { ttlMs, tellsOfChanges } = known.listing;
    if (ttlMs === null) return true;
    const leastMs = tellsOfChanges ? LIMITS.leastToldListingMs : LIMITS.leastListingMs;
    return this.#options.clock.now() - known.listedAtMs < Math.max(ttlMs, leastMs);
  }

  /** What is known was asked for before so many notices had come: the listing that was joined may have begun earlier. */
  #isBefore(notices: number): boolean {
    return this.#status === "available" && this.#known !== null && this.#known.notices < notices;
  }

  /** Simultaneous users share one listing. */
  #fly(): Flight {
    if (this.#flight) return this.#flight;
    const landed = this.#list().finally(() => {
      this.#flight = null;
    });
    this.#flight = { startedMs: this.#options.clock.now(), landed };
    return this.#flight;
  }

  async #list(): Promise<void> {
    const { signal } = this.#closing;
    const notices = this.#notices;
    try {
      await this.upstream.info();
      const { connections } = this.upstream;
      const listed = await listServer(this.upstream, this.listing, signal);
      // What is allowed may have changed since it was asked.
      const listing = allowedIn(listed, this.#settings);
      const known = { listing, digest: digestOf(listing), ...derivedFrom(listing, this.#settings) };
      this.#learn({ ...known, listedAtMs: this.#options.clock.now(), connections, notices });
    } catch (err) {
      if (!signal.aborted) this.#lose(err);
    }
  }

  #learn(known: Known): void {
    const before = this.#known;
    const hasReturned = this.#status !== "available";
    const isSame = before?.digest === known.digest;
    this.#status = "available";
    // An entry is kept where nothing has changed: what is known of it by identity need not be found out anew.
    this.#known = isSame ? { ...known, entries: before.entries } : known;
    if (isSame && !hasReturned) return;
    this.#changes++;
    this.#warnOf(known.listing.problems);
    const wasSaid = !hasReturned && before !== null && before.notices < known.notices;
    if (!wasSaid) this.#options.changed();
  }

  #warnOf(problems: readonly string[]): void {
    if (problems.length === 0) return;
    const { log } = this.#options;
    log.warn({ server: this.name, problems }, "what the MCP server offers cannot all be used");
  }

  #lose(err: unknown): void {
    if (this.#status === "unavailable") return;
    this.#options.log.warn({ server: this.name, err }, "cannot list what the MCP server offers");
    this.#status = "unavailable";
    this.#changes++;
    this.#options.changed();
  }

  /** An update of a resource leaves the lists as they are, but answers that somebody keeps are out of date. */
  #heard(notification: Notification): void {
    const { method } = notification;
    if (LIST_CHANGED.test(method)) this.#notices++;
    else if (method === "notifications/resources/updated") this.#changes++;
    this.#options.heard(notification);
  }
}

const allowedIn = (listing: Listing, { allowed }: ServerSettings): Listing =>
  allowed === null ? listing : { ...listing, tools: listing.tools.filter(({ name }) => allowed.fits(name)) };

function derivedFrom({ tools }: Listing, settings: ServerSettings): Derived {
  const entries = tools.map((tool) => toolEntryOf(tool, settings));
  return {
    entries,
    repeatable: new Set(entries.filter(isRepeatable).map(({ name }) => name)),
    mirrored: new Map(tools.map((tool) => [tool.name, mirroredIn(tool.inputSchema)])),
  };
}

const LIST_CHANGED = /^notifications\/(tools|prompts|resources)\/list_changed$/;

const isRepeatable = ({ readOnly, idempotent }: ToolEntry): boolean =>
  readOnly === true || idempotent === true;

function digestOf({ tools, prompts, resources, templates }: Listing): string {
  return createHash("sha256")
    .update(JSON.stringify([tools, prompts, resources, templates]))
    .digest("base64");
}
