/** The configuration of a hive's MCP servers, over HTTP. */
import type { z } from "zod";
import type {
  ConfigHistory,
  ConfigItem,
  ConfigList,
  ConfigStatus,
  ConfigValue,
  ReloadAnswer,
} from "../protocol/config.ts";
import type { RolloutChange, RolloutStatus } from "../protocol/rollout.ts";
import type { GatewayHttp } from "./http.ts";

/** The revision that a change is meant for; `none`: it is not there yet. */
export type ExpectedRevision = number | "none";

/** What is not said of it is as in an entry that does not say it. */
export type NewConfig = z.input<typeof ConfigValue>;

/** Every method throws HivegateError with what the gateway answered, or GatewayUnreachable. */
export class RestConfigs {
  readonly #http: GatewayHttp;
  readonly #hive: string;

  constructor(http: GatewayHttp, hive: string) {
    this.#http = http;
    this.#hive = hive;
  }

  status(): Promise<ConfigStatus> {
    return this.#http.json("GET", this.#path("status"));
  }

  /** Has the file read again, now. @throws HivegateError `config_invalid` with the line and the column */
  reload(): Promise<ReloadAnswer> {
    return this.#http.json("POST", this.#path("reload"));
  }

  list(): Promise<ConfigList> {
    return this.#http.json("GET", this.#path("configs"));
  }

  /** Secrets are hidden, and stay as they are when they are given back so. @throws HivegateError `unknown_config` */
  get(name: string): Promise<ConfigItem> {
    return this.#http.json("GET", this.#pathOf(name));
  }

  /** @throws HivegateError `precondition_failed` when another version is there, `config_invalid` */
  put(name: string, value: NewConfig, expected: ExpectedRevision): Promise<ConfigItem> {
    return this.#http.json("PUT", this.#pathOf(name), { body: value, headers: conditionOf(expected) });
  }

  /** @throws HivegateError `unknown_config`, `precondition_failed` */
  remove(name: string, expected: number): Promise<void> {
    return this.#http.done("DELETE", this.#pathOf(name), { headers: conditionOf(expected) });
  }

  /** Newest first; of one server, or of all. */
  history(query: { name?: string; before?: number; limit?: number } = {}): Promise<ConfigHistory> {
    const { name, ...page } = query;
    const path = name === undefined ? this.#path("history", page) : this.#pathOf(name, "/history", page);
    return this.#http.json("GET", path);
  }

  /** Makes an older version the newest. @throws as `put` */
  restore(name: string, revision: number, expected: ExpectedRevision): Promise<ConfigItem> {
    const options = { body: { revision }, headers: conditionOf(expected) };
    return this.#http.json("POST", this.#pathOf(name, "/restore"), options);
  }

  /** Of the way from the older system to the newer one. */
  rollout(): Promise<RolloutStatus> {
    return this.#http.json("GET", this.#path("rollout"));
  }

  changeRollout(change: RolloutChange): Promise<RolloutStatus> {
    return this.#http.json("PUT", this.#path("rollout"), { body: change });
  }

  #pathOf(name: string, rest = "", query: Page = {}): string {
    return this.#path(`configs/${encodeURIComponent(name)}${rest}`, query);
  }

  #path(rest: string, query: Page = {}): string {
    const search = new URLSearchParams({ hive: this.#hive });
    for (const [name, value] of Object.entries(query)) search.set(name, String(value));
    return `/api/v1/mcp/${rest}?${search}`;
  }
}

type Page = { before?: number; limit?: number };

const conditionOf = (expected: ExpectedRevision): Record<string, string> =>
  expected === "none" ? { "if-none-match": "*" } : { "if-match": `"${expected}"` };
