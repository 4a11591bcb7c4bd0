import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigItem, ConfigValue } from "../../../shared/protocol/config.ts";
import type { Logger } from "../../log.ts";
import type { McpFront } from "../../mcp/front.ts";
import type { Listing } from "../../mcp/registry/listing.ts";
import type { McpServers } from "../../mcp/servers.ts";
import type { Changed, Configs } from "../configs.ts";
import type { Author } from "../entry.ts";
import { healthOf, type OlderHealth, type OlderState, stateOf, statusOf } from "./state.ts";

export type OlderPorts = {
  configs: Pick<Configs, "list" | "get" | "ofAgent" | "put" | "change" | "whyLeftOut">;
  servers: Pick<McpServers, "get" | "restart">;
  registered: McpFront["registered"];
  log: Pick<Logger, "debug" | "error">;
};

/** Whose request it is: as people know them, and as the rollout does. */
export type Asker = { author: Author; client: string };

type Offer = Pick<Listing, "tools" | "resources">;

/** What the older system's clients do with its servers, done with the ones there are now. */
export class OlderServers {
  readonly #ports: OlderPorts;

  constructor(ports: OlderPorts) {
    this.#ports = ports;
  }

  state(name: string): OlderState {
    return stateOf(name, this.#connection(name), this.#ports.registered(name)?.listing ?? null);
  }

  async names({ client }: Asker): Promise<string[]> {
    return (await this.#ports.configs.list(client)).configs.map(({ name }) => name);
  }

  async namesOfAgent({ client }: Asker, agent: string): Promise<string[]> {
    return (await this.#ports.configs.ofAgent(client, agent)).map(({ name }) => name);
  }

  /** @throws HivegateError `unknown_server` */
  async find({ client }: Asker, name: string): Promise<ConfigItem> {
    return await this.#ports.configs.get(client, name).catch((thrown: unknown) => {
      const isUnknown = thrown instanceof HivegateError && thrown.code === "unknown_config";
      throw isUnknown ? notFound(name) : thrown;
    });
  }

  /** @throws HivegateError `invalid_request` when there is one; `config_invalid` */
  async create({ author }: Asker, name: string, value: ConfigValue): Promise<void> {
    await this.#ports.configs.put(name, value, "none", author).catch((thrown: unknown) => {
      const isThere = thrown instanceof HivegateError && thrown.code === "precondition_failed";
      throw isThere ? new HivegateError("invalid_request", `Server ${name} already exists`) : thrown;
    });
    this.#begin(name, value);
  }

  /**
   * Creates or replaces each, all or none. Which tools of a server may be used at all these clients cannot say, so that stays.
   * @throws HivegateError `config_invalid`
   */
  async configure({ author }: Asker, given: ReadonlyMap<string, ConfigValue>): Promise<void> {
    const names = [...given.keys()];
    const changed: Changed = (now, name) => {
      const value = given.get(name) ?? null;
      return value && { ...value, allowed_tools: (now ?? value).allowed_tools };
    };
    await this.#ports.configs.change(names, changed, author);
    for (const [name, value] of given) this.#begin(name, value);
  }

  /** @throws HivegateError `unknown_server`, `config_invalid` */
  async change(
    { author }: Asker,
    name: string,
    changed: (value: ConfigValue) => ConfigValue | null,
  ): Promise<void> {
    const ofThere: Changed = (now) => {
      if (!now) throw notFound(name);
      return changed(now);
    };
    await this.#ports.configs.change([name], ofThere, author);
  }

  /** @throws HivegateError `unknown_server` */
  remove(asker: Asker, name: string): Promise<void> {
    return this.change(asker, name, () => null);
  }

  /** Resolves when it is connected to. @throws HivegateError `unknown_server`, `invalid_request`: it did not start */
  async start(asker: Asker, name: string, how: "start" | "restart"): Promise<void> {
    const { enabled } = await this.find(asker, name);
    const { configs, servers } = this.#ports;
    const failed = (why: string, cause?: unknown) =>
      new HivegateError("invalid_request", `Failed to ${how} server ${name}: ${why}`, { cause });
    if (!enabled) await this.change(asker, name, (value) => ({ ...value, enabled: true }));
    const connection = this.#connection(name);
    if (!connection) throw failed(configs.whyLeftOut(name) ?? "somebody else stopped it.");
    if (enabled && how === "restart") servers.restart(name);
    const signal = AbortSignal.timeout(LIMITS.mcpStartTimeoutMs);
    await connection.info({ signal }).catch((cause: unknown) => {
      throw failed(signal.aborted ? "it did not answer in time." : asHivegateError(cause).message, cause);
    });
  }

  /** As it is known now; nothing where it cannot be asked. */
  async offer(name: string): Promise<Offer> {
    const server = this.#ports.registered(name);
    await server?.upToDate();
    return server?.listing ?? { tools: [], resources: [] };
  }

  async health(asker: Asker, nowMs: number): Promise<OlderHealth> {
    const names = await this.names(asker);
    return healthOf(
      names.map((name) => ({
        status: statusOf(this.#connection(name)),
        listing: this.#ports.registered(name)?.listing ?? null,
      })),
      nowMs,
    );
  }

  #connection(name: string) {
    return this.#ports.servers.get(name)?.connection ?? null;
  }

  /** The older system's servers started when they were made. Here nobody waits for that, and what goes wrong is in its state. */
  #begin(name: string, { enabled, config }: ConfigValue): void {
    if (!enabled || config.autoStart === false) return;
    this.#connection(name)
      ?.info()
      .catch((err: unknown) => this.#ports.log.debug({ err, server: name }, "the server did not start"));
  }
}

const notFound = (name: string): HivegateError =>
  new HivegateError("unknown_server", `Server ${name} not found`);
