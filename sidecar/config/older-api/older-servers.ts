import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigItem, ConfigValue } from "../../../shared/protocol/config.ts";
import type { Logger } from "../../log.ts";
import type { McpFront } from "../../mcp/front.ts";
import type { Listing } from "../../mcp/registry/listing.ts";
import type { McpServers } from "../../mcp/servers.ts";
import type { Configs } from "../configs.ts";
import type { Author } from "../entry.ts";
import { Turns } from "../turns.ts";
import { healthOf, type OlderHealth, type OlderState, stateOf, statusOf } from "./state.ts";

export type OlderPorts = {
  configs: Pick<Configs, "list" | "get" | "ofAgent" | "put" | "putAll" | "remove">;
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
  /** They know no versions: who changes a part of what is there has to find it as it was read. */
  readonly #turns = new Turns(LIMITS.configChanges);

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
      throw isUnknown ? new HivegateError("unknown_server", `Server ${name} not found`) : thrown;
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
  configure({ author, client }: Asker, given: ReadonlyMap<string, ConfigValue>): Promise<void> {
    const { configs } = this.#ports;
    return this.#turns.take(async () => {
      const before = new Map((await configs.list(client)).configs.map((item) => [item.name, item]));
      const values = new Map(
        [...given].map(([name, value]) => {
          const { allowed_tools } = before.get(name) ?? value;
          return [name, { ...value, allowed_tools }];
        }),
      );
      await configs.putAll(values, author);
      for (const [name, value] of values) this.#begin(name, value);
    });
  }

  /** @throws HivegateError `unknown_server`, `config_invalid` */
  change(asker: Asker, name: string, changed: (value: ConfigValue) => ConfigValue): Promise<void> {
    return this.#turns.take(async () => {
      const { config, agent_names, allowed_tools, enabled } = await this.find(asker, name);
      const value = changed({ config, agent_names, allowed_tools, enabled });
      await this.#ports.configs.put(name, value, "any", asker.author);
    });
  }

  /** @throws HivegateError `unknown_server` */
  async remove(asker: Asker, name: string): Promise<void> {
    await this.find(asker, name);
    await this.#ports.configs.remove(name, "any", asker.author);
  }

  /** Resolves when it is connected to. @throws HivegateError `unknown_server`, `invalid_request`: it did not start */
  async start(asker: Asker, name: string, how: "start" | "restart"): Promise<void> {
    const { enabled } = await this.find(asker, name);
    if (!enabled) await this.change(asker, name, (value) => ({ ...value, enabled: true }));
    else if (how === "restart") this.#ports.servers.restart(name);
    const signal = AbortSignal.timeout(LIMITS.mcpStartTimeoutMs);
    await this.#connection(name)
      ?.info({ signal })
      .catch((cause: unknown) => {
        const why = signal.aborted ? "it did not answer in time." : asHivegateError(cause).message;
        throw new HivegateError("invalid_request", `Failed to ${how} server ${name}: ${why}`, { cause });
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
