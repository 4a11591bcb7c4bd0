/**
 * What clients read, with the version that it is. The content may come from the older database, which knows no versions: those are
 * the ones that were in force before it was asked. A version that is too old is refused (412) when somebody changes it; one that
 * is too new would let him undo what he has not seen. None of this needs the store to be readable.
 */
import { HivegateError } from "../../shared/errors.ts";
import type { ConfigItem, ConfigList } from "../../shared/protocol/config.ts";
import type { ConfigEntry, StoredConfig } from "./entry.ts";
import type { InForce } from "./in-force.ts";
import type { ConfigRouter } from "./router.ts";

export type ReadingPorts = {
  router: Pick<ConfigRouter, "read">;
  inForce: Pick<InForce, "entries" | "revision">;
};

export class Reading {
  readonly #ports: ReadingPorts;

  constructor(ports: ReadingPorts) {
    this.#ports = ports;
  }

  async list(client: string): Promise<ConfigList> {
    const { router, inForce } = this.#ports;
    const { revision, entries: known } = inForce;
    const entries = await router.read(client, "list", (backend) => backend.list());
    return { revision, configs: entries.map((entry) => itemOf(entry, known)) };
  }

  async ofAgent(client: string, agent: string): Promise<ConfigItem[]> {
    const known = this.#ports.inForce.entries;
    const entries = await this.#ports.router.read(client, "ofAgent", (backend) => backend.ofAgent(agent));
    return entries.map((entry) => itemOf(entry, known));
  }

  /** @throws HivegateError `unknown_config` */
  async get(client: string, name: string): Promise<ConfigItem> {
    const known = this.#ports.inForce.entries;
    const entry = await this.#ports.router.read(client, "get", (backend) => backend.get(name));
    if (entry === null) throw new HivegateError("unknown_config");
    return itemOf(entry, known);
  }
}

/** What somebody wrote to the older database by another way has no version until it is taken over. */
function itemOf(entry: ConfigEntry | StoredConfig, known: ReadonlyMap<string, StoredConfig>): ConfigItem {
  if ("revision" in entry) return entry;
  const { name, config, agent_names, allowed_tools, enabled } = entry;
  const { revision, created_at, updated_at } = known.get(name) ?? NO_VERSION;
  return { name, config, agent_names, allowed_tools, enabled, revision, created_at, updated_at };
}

const NO_VERSION = { revision: 1, created_at: 0, updated_at: 0 };
