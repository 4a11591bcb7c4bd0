/** What a migration is told, what it uses, and what it comes to. */
import type { Alert } from "../../alerts.ts";
import type { Fingerprint } from "../backend.ts";
import type { Held } from "./check.ts";
import type { Plan } from "./plan.ts";
import type { Progress } from "./progress.ts";
import type { OpenSource, Source } from "./source.ts";
import type { OpenTarget } from "./target.ts";
import type { OperationTimes } from "./times.ts";

export type MigrationOptions = {
  stateDir: string;
  backupDir: string;
  mode: "safe" | "full";
  validateBackup: boolean;
  autoRollback: boolean;
};

/** Everything outside. */
export type MigrationPorts = {
  openSource: OpenSource;
  openTarget: OpenTarget;
  /** The sidecar's environment: what the entries' variables stand for. */
  env: Record<string, string | undefined>;
  progress: Progress;
  /** Resolves when whoever is on duty was told, or cannot be. */
  alert(alert: Alert): Promise<void>;
  now(): number;
  elapsedMs(): number;
  id(): string;
  /** Hivegate's. */
  version: string;
};

type Counts = {
  from_kind: Source["kind"];
  added: number;
  equal: number;
  kept: number;
  fingerprint: Fingerprint;
};

export type PlanResult = { result: "planned"; added_names: string[] } & Counts;

export type MigrationResult =
  /** `slower`: it is in force all the same, because nothing should go back by itself. */
  | ({ result: "done" | "slower"; backup: string | null; times: OperationTimes[] } & Counts)
  /** It is in force, but the disk did not confirm it: a loss of power may bring back the old state. */
  | ({ result: "unconfirmed"; reason: string; backup: string } & Counts)
  | { result: "rolled_back"; reason: string; backup: string; times: OperationTimes[] };

export const countsOf = ({ kind }: Source, { added, equal, kept }: Plan, { fingerprint }: Held): Counts => ({
  from_kind: kind,
  added: added.length,
  equal: equal.length,
  kept: kept.length,
  fingerprint,
});
