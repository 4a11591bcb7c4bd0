/** What has to be right before anything is done. Neither the source nor the store is changed here. */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpServerConfig } from "../../mcp/server-config.ts";
import type { Fingerprint } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { ownRules } from "../file/rules.ts";
import { checkTogether, toServerConfig } from "../file/server.ts";
import { fingerprintOf, sameEntry } from "../fingerprint.ts";
import { tooMuch } from "../store/bytes.ts";
import { removePartial } from "./backup.ts";
import { flush } from "./files.ts";
import type { Ground } from "./ground.ts";
import { type Plan, planOf } from "./plan.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import { checkRoom } from "./room.ts";
import type { Source } from "./source.ts";

export type Held = { entries: ConfigEntry[]; fingerprint: Fingerprint };

/** @throws MigrationRefused */
export async function checkSource(source: Source): Promise<Held> {
  const problems = await source.problems();
  if (problems.length > 0)
    throw new MigrationRefused(`${source.place} cannot be migrated as it is: correct this first`, problems);
  const entries = await source.entries();
  const fingerprint = await source.fingerprint();
  if (fingerprintOf(entries).sha256 !== fingerprint.sha256)
    throw new MigrationRefused(`${source.place} changed while it was read: try again`);
  return { entries, fingerprint };
}

/** @throws MigrationRefused */
export function checkPlan(
  entries: readonly ConfigEntry[],
  stored: readonly ConfigEntry[],
  env: Record<string, string | undefined>,
): Plan {
  const plan = planOf(entries, stored, sameEntry);
  if (plan.clashing.length > 0)
    throw new MigrationRefused(
      "the store has other configurations of the same names: remove them there, or correct the source",
      plan.clashing,
    );
  const all = [...stored, ...plan.added];
  const enabled = all.filter((entry) => entry.enabled);
  if (all.length > LIMITS.configServers)
    throw new MigrationRefused(`that makes ${all.length} servers, and ${LIMITS.configServers} is the most`);
  if (enabled.length > LIMITS.enabledServers)
    throw new MigrationRefused(
      `that makes ${enabled.length} enabled servers, and ${LIMITS.enabledServers} is the most: disable some in the source`,
    );
  const much = tooMuch(
    all.map((entry) => ({ name: entry.name, entry })),
    { get: () => null, bytes: 0, limits: LIMITS },
  );
  if (much)
    throw new MigrationRefused(`that is too much: ${much.message}`, much.name === null ? [] : [much.name]);
  const problems = problemsOf(enabled, env);
  if (problems.length > 0)
    throw new MigrationRefused("the sidecar could not use some servers: correct or disable them", problems);
  return plan;
}

/** The sidecar refuses its configuration whole when it cannot use all of it. */
function problemsOf(enabled: readonly ConfigEntry[], env: Record<string, string | undefined>): string[] {
  const rules = ownRules(env);
  const servers: McpServerConfig[] = [];
  const problems: string[] = [];
  for (const entry of enabled) {
    const server = toServerConfig(entry, rules);
    if ("message" in server) problems.push(`${entry.name}: ${[...server.path, server.message].join(": ")}`);
    else servers.push(server);
  }
  const together = checkTogether(servers);
  return together ? [...problems, `${together.name}: ${together.message}`] : problems;
}

/** Clears away what an earlier one left half-made. @throws MigrationRefused */
export function checkPlaces(
  ground: Ground,
  source: Source,
  entries: readonly ConfigEntry[],
  backupDir: string,
): void {
  try {
    const made = mkdirSync(backupDir, { recursive: true, mode: 0o700 });
    // Or a loss of power could keep the migration and lose its backup with its directory.
    if (made !== undefined) for (const parent of parentsOf(backupDir, made)) flush(parent);
    removePartial(backupDir, ground.stateDir);
  } catch (cause) {
    throw new MigrationRefused(`the directory of backups cannot be written to: ${reasonOf(cause)}`, [], {
      cause,
    });
  }
  checkRoom(ground, source, entries, backupDir);
}

/** Every directory in which one was made, from the last to that of the first. */
function parentsOf(directory: string, firstMade: string): string[] {
  const parent = dirname(resolve(directory));
  return resolve(directory) === resolve(firstMade) ? [parent] : [parent, ...parentsOf(parent, firstMade)];
}
