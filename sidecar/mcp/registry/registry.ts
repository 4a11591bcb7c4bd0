import type { Clock } from "../../../shared/clock.ts";
import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import type { RegistryAnswer, RegistryQuery } from "../../../shared/protocol/tools.ts";
import { selectTools } from "../../../shared/tools/search.ts";
import type { Logger } from "../../log.ts";
import type { Notification } from "../json-rpc-session.ts";
import type { Upstream } from "../upstream.ts";
import { RegisteredServer } from "./registered-server.ts";
import type { ServerSettings } from "./tool-entry.ts";

/** A server, and how it is configured. */
export type Offered = { upstream: Upstream; settings: ServerSettings };

export type RegistryOptions = {
  /** In the order in which they were configured. */
  servers: readonly Offered[];
  /** Names this run of the sidecar: versions of two runs are never the same. */
  epoch: string;
  clock: Clock;
  log: Logger;
};

/** Its number tells it from others that have the same name, before or after it. */
type Numbered = { server: RegisteredServer; number: number };

/** What all MCP servers offer. One that does not answer delays nobody for long, and keeps what it had. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #changeListeners = new Set<() => void>();
  readonly #noticeListeners = new Set<(notification: Notification) => void>();
  #servers: ReadonlyMap<string, Numbered> = new Map();
  #all: readonly RegisteredServer[] = [];
  #numbers = 0;
  #applied = 0;
  /** Of servers that are there no more. */
  #pastConnections = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#register(options.servers);
  }

  /**
   * From now on these are the servers. One whose `upstream` is known stays; it has new settings where its name is in
   * `changed`.
   */
  apply(servers: readonly Offered[], changed: ReadonlySet<string>): void {
    for (const { upstream, settings } of servers)
      if (changed.has(upstream.name)) this.#known(upstream)?.server.configure(settings);
    this.#register(servers);
    this.#applied++;
    this.#changed();
  }

  /** In the order in which they were configured. */
  get servers(): readonly RegisteredServer[] {
    return this.#all;
  }

  /** How often other servers, or other settings, were applied. */
  get applied(): number {
    return this.#applied;
  }

  /** Of all servers there ever were: it only grows. */
  get connections(): number {
    return this.servers.reduce((sum, { upstream }) => sum + upstream.connections, this.#pastConnections);
  }

  /** Changes whenever something of some server may have changed. Cheap: it goes with every answer. */
  get version(): string {
    const sum = this.servers.reduce((all, { version }) => all + version, 0);
    return `${this.#options.epoch}.${this.#applied}.${sum}`;
  }

  get(name: string): RegisteredServer | null {
    return this.#servers.get(name)?.server ?? null;
  }

  /** Whether this server may be sent this request twice where no answer came: see `RegisteredServer.mayRepeat`. */
  mayRepeat(server: string, { method, params }: McpRequest): boolean {
    if (method !== "tools/call" || typeof params.name !== "string") return false;
    return this.get(server)?.mayRepeat(params.name) ?? false;
  }

  /** Resolves when all of them are as well known as they can be: see `RegisteredServer.upToDate`. */
  async upToDate(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.upToDate()));
  }

  /**
   * Whether this is the version still. It is said at once: where something may be out of date by its age alone, that is
   * found out meanwhile, and the next one who asks hears of it.
   */
  isStill(version: string): boolean {
    void this.upToDate();
    return version === this.version;
  }

  /** The servers with those of their tools that are asked for: see `RegistryQuery`. */
  async answer({ waitFor, ...query }: RegistryQuery): Promise<RegistryAnswer> {
    const listed = this.upToDate();
    const waited = waitFor ?? query.server;
    await (waited === undefined ? listed : this.get(waited)?.upToDate());
    const servers = [...this.#servers.values()]
      .filter(({ server }) => waitFor === undefined || server.isUpToDate)
      .map(({ server, number }) => ({
        ...server.entry(),
        version: `${this.#options.epoch}.${number}.${server.version}`,
      }));
    return { version: this.version, servers: selectTools(servers, query) };
  }

  /**
   * `listener` hears that a listing brought something new, that a server went or came back, or that there are others now.
   * Returns how to stop.
   */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => void this.#changeListeners.delete(listener);
  }

  /** `listener` hears what any of the servers says unasked. Returns how to stop. */
  onNotification(listener: (notification: Notification) => void): () => void {
    this.#noticeListeners.add(listener);
    return () => void this.#noticeListeners.delete(listener);
  }

  /** Nothing is listed from now on, and whoever waits for a listing goes on. */
  close(): void {
    for (const server of this.servers) server.close();
  }

  #known(upstream: Upstream): Numbered | null {
    const known = this.#servers.get(upstream.name);
    return known?.server.upstream === upstream ? known : null;
  }

  #register(offered: readonly Offered[]): void {
    const before = this.#servers;
    this.#servers = new Map(
      offered.map((one) => [one.upstream.name, this.#known(one.upstream) ?? this.#numbered(one)]),
    );
    this.#all = [...this.#servers.values()].map(({ server }) => server);
    for (const [name, known] of before) {
      if (this.#servers.get(name) === known) continue;
      this.#pastConnections += known.server.upstream.connections;
      known.server.close();
    }
  }

  #numbered(offered: Offered): Numbered {
    const { clock, log } = this.#options;
    const server = new RegisteredServer({
      ...offered,
      ...{ clock, log },
      changed: () => this.#changed(),
      heard: (notification) => {
        for (const listener of this.#noticeListeners) listener(notification);
      },
    });
    return { server, number: ++this.#numbers };
  }

  #changed(): void {
    for (const listener of this.#changeListeners) listener();
  }
}
