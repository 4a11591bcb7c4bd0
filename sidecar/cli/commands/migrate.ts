import { randomBytes } from "node:crypto";
import { join } from "node:path";
import manifest from "../../../package.json" with { type: "json" };
import { platformClock } from "../../../shared/clock.ts";
import { Alerts } from "../../alerts.ts";
import { dryRun } from "../../config/migrate/dry-run.ts";
import { migrate as migrateNow } from "../../config/migrate/migrate.ts";
import { openSource } from "../../config/migrate/open-source.ts";
import type { MigrationPorts } from "../../config/migrate/ports.ts";
import { bar, jsonLines } from "../../config/migrate/progress.ts";
import { MigrationRefused, reasonOf } from "../../config/migrate/refused.ts";
import { RollbackFailed, rollBack } from "../../config/migrate/roll-back.ts";
import { openTarget } from "../../config/migrate/target.ts";
import { ConfigError, readMigrationConfig } from "../../config.ts";
import { createLogger } from "../../log.ts";
import { type Arguments, type Command, EXIT, type ExitCode, type Io, UsageError } from "../command.ts";
import { inWords, type Outcome } from "./migrate-words.ts";

export const migrate: Command = {
  summary: "Take over the configuration of an older system, or of an .mcp.json; or go back",
  usage:
    "migrate --from FILE|postgres://… [--state-dir DIR] [--mode safe|full|rollback] [--backup-dir DIR] [--dry-run] [--discard-later-changes]",
  example: "hivegate migrate --from /var/lib/older/agents.db --dry-run",
  options: {
    from: {
      type: "string",
      value: "PLACE",
      help: "a SQLite file, postgres://…, or .mcp.json (MCP_OLD_DATABASE)",
    },
    "state-dir": {
      type: "string",
      value: "DIR",
      help: "the sidecar's (SIDECAR_STATE_DIR, .hivegate/sidecar)",
    },
    mode: {
      type: "string",
      value: "MODE",
      help: "safe or full: what the sidecar is to read afterwards; rollback: go back (MCP_MIGRATION_MODE, safe)",
    },
    "backup-dir": {
      type: "string",
      value: "DIR",
      help: "where backups are kept (backups, in the state directory)",
    },
    "dry-run": { type: "boolean", help: "say what would be done, and change nothing" },
    "discard-later-changes": {
      type: "boolean",
      help: "with rollback: lose what was changed since; a copy is kept",
    },
  },
  words: [0, 0],
  async run(args, io) {
    const settings = settingsOf(args, io);
    // Half of it is no result; and what it exits with says what came of it.
    io.outliveReaders();
    const alerts = new Alerts({
      hive: settings.hive,
      webhookUrl: settings.alertWebhookUrl,
      clock: platformClock,
      log: createLogger({ level: "warn", destination: { write: (line: string) => void io.err(line) } }),
    });
    const outcome = await attempt(settings, {
      openSource: (options) => openSource(settings.from, options),
      openTarget,
      env: io.env,
      progress:
        io.columns === null
          ? jsonLines(io.out, io.now)
          : bar(io.out, io.columns, io.env.NO_COLOR === undefined),
      async alert(alert) {
        alerts.raise(alert);
        await alerts.settled();
      },
      now: io.now,
      elapsedMs: () => performance.now(),
      id: () => randomBytes(4).toString("hex"),
      version: manifest.version,
    });
    alerts.close();
    await io.out(`${io.columns === null ? JSON.stringify(outcome) : inWords(outcome, settings)}\n`);
    return EXITS[outcome.result];
  },
};

const EXITS: { [Result in Outcome["result"]]: ExitCode } = {
  planned: EXIT.done,
  done: EXIT.done,
  restored: EXIT.done,
  refused: EXIT.failed,
  rolled_back: EXIT.rolledBack,
  rollback_failed: EXIT.rollbackFailed,
  slower: EXIT.inDoubt,
  unconfirmed: EXIT.inDoubt,
};

type Settings = ReturnType<typeof settingsOf>;

async function attempt(settings: Settings, ports: MigrationPorts): Promise<Outcome> {
  const { mode, isDryRun } = settings;
  try {
    if (mode === "rollback") return await rollBack(settings, ports);
    if (isDryRun) return await dryRun(settings, ports);
    return await migrateNow({ ...settings, mode }, ports);
  } catch (thrown) {
    if (thrown instanceof RollbackFailed) return { result: "rollback_failed", reason: thrown.message };
    const problems = thrown instanceof MigrationRefused ? [...thrown.problems] : [];
    return { result: "refused", reason: reasonOf(thrown), problems };
  }
}

/** @throws UsageError */
function settingsOf(args: Arguments, io: Io) {
  const given = environment(io);
  const from = args.text("from") ?? given.oldDatabase;
  if (from === null) throw new UsageError("from where? Say --from, or set MCP_OLD_DATABASE.");
  const stateDir = args.text("state-dir") ?? given.stateDir;
  const isDryRun = args.flag("dry-run");
  const mode = modeOf(args.text("mode") ?? given.mode);
  if (isDryRun && mode === "rollback")
    throw new UsageError("--dry-run is for safe and full, not for rollback.");
  return {
    ...given,
    ...{ from, stateDir, isDryRun, mode },
    backupDir: args.text("backup-dir") ?? join(stateDir, "backups"),
    discardLaterChanges: args.flag("discard-later-changes"),
  };
}

function environment(io: Io): ReturnType<typeof readMigrationConfig> {
  try {
    return readMigrationConfig(io.env);
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw new UsageError(thrown.message);
    throw thrown;
  }
}

function modeOf(text: string): "safe" | "full" | "rollback" {
  if (text === "safe" || text === "full" || text === "rollback") return text;
  throw new UsageError("--mode: safe, full or rollback.");
}
