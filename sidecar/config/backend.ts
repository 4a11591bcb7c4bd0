/**
 * Where configurations are kept, as whoever reads or writes them uses it. There are two: the table `mcp_configs` (`store/`), and, as
 * long as a migration goes on, the older system's two tables (`old/`).
 */
import type { ConfigEdit, ConfigEntry } from "./entry.ts";

/** How much there is, and what: equal contents have equal hashes in either of the two. */
export type Fingerprint = { servers: number; assignments: number; sha256: string };

export interface ConfigBackend {
  readonly kind: "old" | "new";
  /** In the order of their names. */
  list(): Promise<ConfigEntry[]>;
  get(name: string): Promise<ConfigEntry | null>;
  /** Those that name this agent. */
  ofAgent(agent: string): Promise<ConfigEntry[]>;
  /** All of them or none. @throws HivegateError `config_invalid` when it cannot hold one of them */
  write(edits: readonly ConfigEdit[]): Promise<void>;
  fingerprint(): Promise<Fingerprint>;
  close(): Promise<void>;
}
