import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../log.ts";
import type { Notification } from "../mcp/json-rpc-session.ts";
import type { McpServer } from "../mcp/servers.ts";
import { Collector } from "./collector.ts";
import type { TelemetrySource } from "./hub.ts";
import { Member } from "./member.ts";
import { Pool } from "./pool.ts";
import { telemetryProfileOf } from "./profiles.ts";

export type SourcesOptions = {
  /** For each call to a server. */
  timeoutMs: number;
  /** What the hub gets of a source; the source itself where it is not given. */
  observed?(source: TelemetrySource): TelemetrySource;
  log: Logger;
  clock: Clock;
};

/** A pool of servers, how to ask it at once, and what brings its news. */
export type Source = {
  readonly servers: readonly McpServer[];
  readonly pool: Pool;
  readonly telemetry: TelemetrySource;
};

type Servers = readonly [McpServer, ...McpServer[]];

/** One source for each pool of servers that tell of agents. They follow the configuration. */
export class Sources {
  readonly #options: SourcesOptions;
  #entries: readonly Entry[] = [];

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  get all(): readonly Source[] {
    return this.#entries;
  }

  /**
   * `pools` as `McpServers.pools` gives them now; `changed` names the servers that are not what they were. The source of a
   * pool whose servers are of the same kind as before stays, with what it knows: servers that came or changed are asked.
   */
  follow(pools: readonly (readonly McpServer[])[], changed: readonly string[] = []): void {
    this.#entries = pools.flatMap(([first, ...others]) =>
      first ? [this.#entryOf([first, ...others], changed)] : [],
    );
  }

  #entryOf(servers: Servers, changed: readonly string[]): Entry {
    const { name } = poolOf(servers);
    const known = this.#entries.find(({ pool }) => pool.name === name);
    if (!known?.isOfKind(servers)) return new Entry(servers, this.#options);
    known.follow(servers, changed);
    return known;
  }
}

class Entry implements Source {
  readonly pool: Pool;
  readonly telemetry: TelemetrySource;
  readonly #options: SourcesOptions;
  readonly #collector: Collector;
  #servers: Servers;

  constructor(servers: Servers, options: SourcesOptions) {
    const { name, source, notifies } = poolOf(servers);
    this.#options = options;
    this.#servers = servers;
    this.pool = new Pool(
      name,
      source,
      servers.map((server) => this.#memberOf(server)),
    );
    const listen = (wake: () => void) => listenTo(this.pool, this.#servers, wake);
    this.#collector = new Collector({ pool: this.pool, listen, notifies, clock: options.clock });
    this.telemetry = options.observed?.(this.#collector) ?? this.#collector;
  }

  get servers(): Servers {
    return this.#servers;
  }

  /** Whether these are asked the same, and tell of agents of the same source. */
  isOfKind(servers: Servers): boolean {
    const [before] = this.#servers;
    return before.profile === servers[0].profile && this.pool.source === poolOf(servers).source;
  }

  follow(servers: Servers, changed: readonly string[]): void {
    const before = this.#servers;
    const isSame =
      servers.length === before.length &&
      servers.every((server, i) => server.name === before[i]?.name && !changed.includes(server.name));
    if (isSame) return;
    const members = servers.map((server) => this.#keptMember(server) ?? this.#memberOf(server));
    this.#servers = servers;
    this.pool.members = members;
    this.#collector.renew();
  }

  /** What is known of a server holds for as long as it is the same one, and its answers are read as before. */
  #keptMember(server: McpServer): Member | undefined {
    const at = this.#servers.findIndex(
      ({ name, generic, connection }) =>
        name === server.name &&
        connection === server.connection &&
        isDeepStrictEqual(generic, server.generic),
    );
    return this.pool.members[at];
  }

  #memberOf(server: McpServer): Member {
    const { timeoutMs, log, clock } = this.#options;
    return new Member({
      ...{ server, profile: telemetryProfileOf(server), timeoutMs, log },
      now: () => clock.now(),
    });
  }
}

function poolOf([first]: Servers): { name: string; source: string; notifies: boolean } {
  const { serverSource, notifies } = telemetryProfileOf(first);
  return { name: first.pool, source: serverSource, notifies };
}

/** What a server says beside its work. One that logs each call would be asked again for every answer it gives. */
const BESIDE = new Set(["notifications/message", "notifications/progress", "notifications/cancelled"]);

function listenTo(pool: Pool, servers: Servers, wake: () => void): () => void {
  const heard = ({ method }: Notification) => {
    if (!BESIDE.has(method)) wake();
  };
  const stops = [
    pool.onReturn(wake),
    ...servers.flatMap(({ connection }) => [connection.onNotification(heard), connection.onTrouble(wake)]),
  ];
  return () => stops.forEach((stop) => void stop());
}
