/** What has to be done to the older tables so that they hold what is wanted; pure, and the same for both databases. */
import { HivegateError } from "../../../shared/errors.ts";
import { canonicalJson } from "../../../shared/wire/canonical-json.ts";
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import type { OldValues } from "./row.ts";
import { valuesOf } from "./rows.ts";

/** A server that is there, with the ids of its agents. */
export type Present = { id: string; values: OldValues; agentIds: string[] };

/** Values by column, JSON as text: the ones that change, or all of a new row. */
export type Columns = Readonly<Record<string, string | number | boolean | null>>;

export type Change =
  | { kind: "insert"; columns: Columns; agentIds: string[] }
  | { kind: "update"; id: string; columns: Columns; added: string[]; removed: string[] }
  | { kind: "delete"; id: string };

/** Why the older tables cannot hold it, as one sentence; null: they can. */
export function canHold(entry: ConfigEntry): string | null {
  const values = valuesOf(entry);
  return "lacks" in values
    ? `The older system has no place for ${values.lacks}: finish the migration first (MCP_MIGRATION_MODE=full).`
    : null;
}

/**
 * `present` by name, of those that are edited; `agents`: ids by name. Columns that mean what is wanted already stay as they are, to
 * the byte.
 * @throws HivegateError `config_invalid`
 */
export function planOf(
  edits: readonly ConfigEdit[],
  present: ReadonlyMap<string, Present>,
  agents: ReadonlyMap<string, string>,
): Change[] {
  return edits.flatMap(({ name, entry }): Change[] => {
    const before = present.get(name);
    if (entry === null) return before ? [{ kind: "delete", id: before.id }] : [];
    const values = heldValues(entry);
    const agentIds = [...new Set(entry.agent_names)].map((agent) => idOfAgent(agent, agents));
    if (!before) return [{ kind: "insert", columns: columnsOf(values), agentIds }];
    return [
      {
        kind: "update",
        id: before.id,
        columns: changed(values, before.values),
        added: agentIds.filter((id) => !before.agentIds.includes(id)),
        removed: before.agentIds.filter((id) => !agentIds.includes(id)),
      },
    ];
  });
}

/** What an update leaves as it is needs no statement. */
export const isNothing = (change: Change): boolean =>
  change.kind === "update" &&
  Object.keys(change.columns).length + change.added.length + change.removed.length === 0;

function heldValues(entry: ConfigEntry): OldValues {
  const values = valuesOf(entry);
  if ("lacks" in values) throw new HivegateError("config_invalid", `${entry.name}: ${canHold(entry)}`);
  return values;
}

function idOfAgent(agent: string, agents: ReadonlyMap<string, string>): string {
  const id = agents.get(agent);
  if (id !== undefined) return id;
  throw new HivegateError(
    "config_invalid",
    `agent_names: the older system has no agent ${JSON.stringify(agent)}. Make it there first, or finish the migration (MCP_MIGRATION_MODE=full).`,
  );
}

function columnsOf({ command, env, tags, ...plain }: OldValues): Columns {
  return {
    ...plain,
    command: command.length === 0 ? null : JSON.stringify(command),
    env: JSON.stringify(env),
    tags: JSON.stringify(tags),
  };
}

function changed(after: OldValues, before: OldValues): Columns {
  const was = new Map(Object.entries(before));
  const differs = ([column, value]: [string, unknown]) =>
    canonicalJson(value) !== canonicalJson(was.get(column));
  const columns = new Set(
    Object.entries(after)
      .filter(differs)
      .map(([column]) => column),
  );
  return Object.fromEntries(Object.entries(columnsOf(after)).filter(([column]) => columns.has(column)));
}
