import { differenceOf, isNoDifference } from "../../shared/config/difference.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { Observe } from "../../shared/metrics/timed.ts";
import type { ConfigDifference } from "../../shared/protocol/config.ts";
import { inOrder } from "./balance.ts";
import { ClientView } from "./client-view.ts";
import { GenericTools } from "./generic-tools.ts";
import { Leaving, type LeavingLimits } from "./leaving.ts";
import { LiveConnection } from "./live-connection.ts";
import { breakerNameOf, type ConnectionPorts, connectionTo } from "./open-connection.ts";
import { type McpProfileName, type McpServerConfig, poolOf } from "./server-config.ts";
import { isSameConnection, isSameServer, isSameView } from "./server-likeness.ts";
import type { Upstream } from "./upstream.ts";

export type { BreakerStore } from "./open-connection.ts";

export type McpServer = {
  name: string;
  pool: string;
  profile: McpProfileName;
  generic: GenericTools;
  /** Whether it tells of agents: else its tools are all that is known of it. */
  tellsOfAgents: boolean;
  /** The same one for as long as there is a server of this name, whatever becomes of the rest. */
  connection: LiveConnection;
};

export type McpServersOptions = ConnectionPorts & {
  /** Hears how each request to a server went. */
  observe?: (server: string, ...how: Parameters<Observe>) => void;
  /** What is not given is as in `LIMITS`. */
  leaving?: LeavingLimits;
};

type Member = McpServer & { config: McpServerConfig; view: ClientView };

/**
 * All configured MCP servers, with exactly one connection to each, whatever the number of users. Which ones there are, and
 * how each is reached, may change while they are used.
 */
export class McpServers {
  readonly #options: McpServersOptions;
  readonly #listeners = new Set<(difference: ConfigDifference) => void>();
  readonly #leaving: Leaving;
  #members: ReadonlyMap<string, Member> = new Map();
  #turn = 0;
  #isClosed = false;

  constructor(configs: readonly McpServerConfig[], options: McpServersOptions) {
    this.#options = options;
    this.#leaving = new Leaving(options.leaving);
    this.apply(configs);
  }

  /**
   * From now on these are the servers: `configs` as `McpServerConfigs` accepts them, expanded. A server that stays as it was
   * is not touched. One that is reached in another way gets a new connection, and one that is not there any more is
   * closed; each has some time to end what it was asked before. Nothing is waited for, and nothing here can fail: a server
   * that cannot be reached says so when it is asked.
   * @throws HivegateError `shutting_down`
   */
  apply(configs: readonly McpServerConfig[]): ConfigDifference {
    if (this.#isClosed) throw new HivegateError("shutting_down");
    const before = this.#members;
    const difference = differenceOf(byName(this.configs), byName(configs), isSameServer);
    const [isNew, isChanged] = [new Set(difference.added), new Set(difference.changed)];
    this.#members = new Map(
      configs.map((config) => {
        const known = before.get(config.name);
        return [config.name, known && !isChanged.has(config.name) ? known : this.#memberOf(config, known)];
      }),
    );
    for (const member of before.values()) {
      const after = this.#members.get(member.name);
      if (!after) this.#remove(member);
      else if (isChanged.has(member.name)) this.#change(member, after);
    }
    for (const { name, eager } of configs)
      if (eager && (isNew.has(name) || isChanged.has(name))) this.#connect(name);
    if (!isNoDifference(difference)) for (const listener of this.#listeners) listener(difference);
    return difference;
  }

  /** `listener` hears of each difference, when it is in force. Returns how to stop. */
  onChange(listener: (difference: ConfigDifference) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A new connection, or a new process, in place of the one there is. @throws HivegateError `unknown_server` */
  restart(name: string): void {
    const member = this.#members.get(name);
    if (!member) throw new HivegateError("unknown_server");
    this.#replace(member, member);
  }

  /** As they were applied last, secrets included. */
  get configs(): McpServerConfig[] {
    return [...this.#members.values()].map(({ config }) => config);
  }

  get(name: string): McpServer | null {
    return this.#members.get(name) ?? null;
  }

  all(): McpServer[] {
    return [...this.#members.values()];
  }

  /**
   * As whoever brings a client's requests to it uses it; null when there is none of this name. The same object for as long
   * as there is one.
   */
  upstream(name: string): Upstream | null {
    return this.#members.get(name)?.view ?? null;
  }

  /**
   * The servers of each pool that tells of agents, in the order in which they were configured. Every pool has one at
   * least.
   */
  pools(): McpServer[][] {
    const telling = this.all().filter(({ tellsOfAgents }) => tellsOfAgents);
    return [...Map.groupBy(telling, ({ pool }) => pool).values()];
  }

  /**
   * A server of the first pool, another one at each call: it is asked about tasks. One that fails is given only
   * where the others fail as well. Null when there is none.
   */
  primary(): McpServer | null {
    const members = this.pools()[0] ?? [];
    const [first] = inOrder(
      members.map((server) => ({ server, ...standingOf(server.connection) })),
      this.#turn++,
    );
    return first?.server ?? null;
  }

  /** Resolves when every connection and every process has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const present = this.all().map(({ connection }) => connection.close());
    await Promise.all([...present, this.#leaving.close()]);
  }

  #memberOf(config: McpServerConfig, before: Member | undefined): Member {
    const { name, profile } = config;
    const connection = before?.connection ?? this.#connectionTo(config);
    return {
      ...{ name, config, connection },
      pool: poolOf(config),
      profile: profile ?? "generic",
      generic: config.generic ?? GenericTools.parse({}),
      tellsOfAgents: profile !== undefined,
      view: before?.view ?? new ClientView(connection, config),
    };
  }

  #connectionTo(config: McpServerConfig): LiveConnection {
    const { observe } = this.#options;
    const { name } = config;
    return new LiveConnection(connectionTo(config, this.#options), {
      ...{ name, leaving: this.#leaving },
      ...(observe && { observe: (...how) => observe(name, ...how) }),
    });
  }

  #change(before: Member, after: Member): void {
    after.view.configure(after.config);
    if (!isSameConnection(before.config, after.config)) this.#replace(before, after);
    else if (!isSameView(before.config, after.config)) after.connection.listsChanged();
  }

  /** Whoever changes how a server is reached wants that to be tried: its circuit begins closed. */
  #replace(before: Member, { config, connection }: Member): void {
    this.#options.breakers.forget(breakerNameOf(before.config));
    connection.replace(connectionTo(config, this.#options));
  }

  #remove({ config, connection }: Member): void {
    this.#options.breakers.forget(breakerNameOf(config));
    connection.end();
  }

  /** What goes wrong is in the log, and whoever asks hears of it. */
  #connect(name: string): void {
    void this.get(name)
      ?.connection.info()
      .catch(() => {});
  }
}

const byName = (configs: readonly McpServerConfig[]) =>
  new Map(configs.map((config) => [config.name, config]));

const standingOf = ({ isFailing, retryInMs, pending }: LiveConnection) => ({ isFailing, retryInMs, pending });
