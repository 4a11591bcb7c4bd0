/** What the sidecar's routes, and whoever else changes configurations, use of them. */
import type {
  ConfigChanged,
  ConfigHistory,
  ConfigItem,
  ConfigList,
  ConfigStatus,
  ConfigValue,
  ReloadAnswer,
} from "../../shared/protocol/config.ts";
import type { Author } from "./entry.ts";

/** Which version a change is meant for: a revision, or `none` (it must not be there yet). */
export type Expected = number | "none";

/** What becomes of what is there; null: nothing is there, or nothing is to be. What it throws refuses the whole change. */
export type Changed = (now: ConfigValue | null, name: string) => ConfigValue | null;

export interface Configs {
  readonly status: ConfigStatus;
  /** Reads the file again, if there is one. @throws HivegateError `config_invalid` with the line and the column */
  reload(by: string): Promise<ReloadAnswer>;
  list(client: string): Promise<ConfigList>;
  /** Those that name this agent. */
  ofAgent(client: string, agent: string): Promise<ConfigItem[]>;
  /** @throws HivegateError `unknown_config` */
  get(client: string, name: string): Promise<ConfigItem>;
  /**
   * @throws HivegateError `precondition_failed`, `precondition_required` (there is one, and nothing is expected of it: `none`
   * was not said but no revision either is the route's to refuse), `config_invalid`
   */
  put(name: string, value: ConfigValue, expected: Expected, author: Author): Promise<ConfigItem>;
  /**
   * All of them or none. For the older system's endpoints, which know no versions: each is read and written in one turn, so what
   * others change at the same moment is not undone.
   * @throws HivegateError `config_invalid`; or as `changed`
   */
  change(names: readonly string[], changed: Changed, author: Author): Promise<void>;
  /** @throws HivegateError `unknown_config`, `precondition_failed` */
  remove(name: string, expected: Expected, author: Author): Promise<void>;
  /** Versions older than revision `before`, newest first; of one server, or of all. */
  history(query: { name: string | null; before: number | null; limit: number }): Promise<ConfigHistory>;
  /** Makes an older version the newest. @throws HivegateError `unknown_config`, `precondition_failed`, `config_invalid` */
  restore(name: string, revision: number, expected: Expected, by: string): Promise<ConfigItem>;
  /** Why one that is enabled is not there; null: it is, or there is no such server. */
  whyLeftOut(name: string): string | null;
  /** `listener` hears of what took effect. Returns how to stop. */
  onChange(listener: (change: ConfigChanged) => void): () => void;
  close(): Promise<void>;
}
