/** What a migration came to, for people. */
import type { MigrationResult, PlanResult } from "../../config/migrate/ports.ts";
import type { RollbackResult } from "../../config/migrate/roll-back.ts";
import { table } from "../table.ts";

export type Outcome =
  | MigrationResult
  | PlanResult
  | RollbackResult
  | { result: "refused"; reason: string; problems: string[] }
  | { result: "rollback_failed"; reason: string };

/** Of a longer list the number is said. */
const SHOWN = 20;

export function inWords(outcome: Outcome, { mode }: { mode: string }): string {
  switch (outcome.result) {
    case "refused":
      return [`Refused: ${outcome.reason}.`, ...listed(outcome.problems)].join("\n");
    case "rollback_failed":
      return `It could not be put back: ${outcome.reason}.`;
    case "planned":
      return [`${counted(outcome)} Nothing has changed. New:`, ...listed(outcome.added_names)].join("\n");
    case "unconfirmed":
      return `${counted(outcome)} It is in force, but the disk did not confirm it: ${outcome.reason}. Look after the disk, then do the same again.\nBackup: ${outcome.backup}`;
    case "rolled_back":
      return [
        `Taken back: ${outcome.reason}.`,
        "The store is what it was. Alert raised.",
        `Backup: ${outcome.backup}`,
        ...timesOf(outcome.times),
      ].join("\n");
    case "restored":
      return [
        `Everything is what it was before the migration (${outcome.backup}).`,
        outcome.replaced === null ? "" : `What was replaced is kept in ${outcome.replaced}.`,
        "Set MCP_USE_NEW_SYSTEM=false for as long as the older system is to be used, and start the sidecar.",
      ]
        .filter((line) => line !== "")
        .join("\n");
    case "slower":
    case "done":
      return [
        counted(outcome),
        ...(outcome.backup === null ? [] : [`Backup: ${outcome.backup}`]),
        ...timesOf(outcome.times),
        ...(outcome.result === "slower"
          ? [
              "Some operations are slower than before, and it stands because MCP_ENABLE_AUTO_ROLLBACK is false.",
            ]
          : []),
        outcome.from_kind === "file"
          ? "The sidecar uses it from its next start."
          : `Set MCP_OLD_DATABASE to what --from was, MCP_USE_NEW_SYSTEM=true and MCP_MIGRATION_MODE=${mode}, and start the sidecar.`,
      ].join("\n");
  }
}

type Counted = Pick<PlanResult, "added" | "equal" | "kept" | "fingerprint">;

const counted = ({ added, equal, kept, fingerprint }: Counted): string =>
  `${fingerprint.servers} servers with ${fingerprint.assignments} assignments: ${added} new, ${equal} there already; ${kept} others stay. SHA-256 ${fingerprint.sha256}.`;

function listed(texts: readonly string[]): string[] {
  const rest = texts.length - SHOWN;
  return [...texts.slice(0, SHOWN).map((text) => `  ${text}`), ...(rest > 0 ? [`  and ${rest} more`] : [])];
}

const timesOf = (
  times: readonly { operation: string; before_ms: number | null; after_ms: number | null }[],
) =>
  times.length === 0
    ? []
    : table([
        ["operation", "before", "now"],
        ...times.map(({ operation, before_ms, after_ms }) => [
          operation,
          `${before_ms} ms`,
          `${after_ms} ms`,
        ]),
      ]).split("\n");
