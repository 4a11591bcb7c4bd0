/** What is migrated: the older system's database, or a file such as `.mcp.json`. */
import type { ConfigBackend, Fingerprint } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";

export interface Source {
  readonly kind: "sqlite" | "postgres" | "file";
  /** For people: without user, password or query. */
  readonly place: string;
  /** Which one it is, however its place was spelt. */
  readonly identity: string;
  /** What a copy of it takes on a disk, as far as that is known before one is made. */
  readonly bytes: number | null;
  /** Why it cannot be migrated as it is, one line each. */
  problems(): Promise<string[]>;
  entries(): Promise<ConfigEntry[]>;
  fingerprint(): Promise<Fingerprint>;
  /** Copies it into `directory`, which is made, as of one moment. */
  backUp(directory: string): Promise<void>;
  /** That what `backUp` made can be opened and holds this. `scratch` is there for copies. @throws MigrationRefused */
  checkBackup(directory: string, fingerprint: Fingerprint, scratch: string): Promise<void>;
  /** What can be timed beside the store. Null: a file has no operations. */
  openToTime(directory: string, scratch: string): Promise<Timed | null>;
  /** What would be lost by putting back the backup `before` instead of the backup `now`, which is another: one line each. */
  changes(before: string, now: string): Promise<string[]>;
  /** Makes it again what `backUp` found. @throws MigrationRefused: nothing was changed */
  restore(directory: string): Promise<void>;
  close(): Promise<void>;
}

/** `isCopy`: it may be written to. */
export type Timed = { backend: ConfigBackend; isCopy: boolean; close(): Promise<void> };

/** @throws Error with one line for a terminal */
export type OpenSource = (options: { readOnly: boolean }) => Promise<Source>;
