/** Reads the swarms that a command listed, as a file describes its output. */
import { z } from "zod";
import { SwarmId, TaskId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { CustomProfile } from "./custom-schema.ts";
import { at, holdsAll } from "./json-pointer.ts";
import { fitsAny, fitsOf, linesOf } from "./pattern.ts";

type List = NonNullable<CustomProfile["list"]>;
type JsonList = Extract<List, { json: unknown }>["json"];
type LineList = Extract<List, { line: unknown }>;

/** @throws HivegateError `swarm_failed` for what cannot be understood */
export function readSwarms(list: List, result: CommandResult): Swarm[] {
  if (result.exitCode !== 0) throw unreadable(result);
  return "json" in list ? swarmsInJson(list.json, result) : swarmsInLines(list, result);
}

function swarmsInJson(places: JsonList, result: CommandResult): Swarm[] {
  const found = at(printedJson(result.stdout), places.swarms);
  if (found === null || typeof found !== "object") throw unreadable(result);
  const optional = (entry: unknown, place: string | undefined) =>
    place === undefined ? null : at(entry, place);
  const { where = {} } = places;
  const entries: unknown[] = Array.isArray(found) ? found : [found];
  // An answer without what is asked for is not understood: it may be about something else.
  if (entries.some((entry) => Object.keys(where).some((place) => at(entry, place) === undefined)))
    throw unreadable(result);
  return entries
    .filter((entry) => holdsAll(entry, where))
    .map((entry) =>
      swarmOf(result, {
        swarm_id: at(entry, places.swarm_id),
        status: at(entry, places.status),
        topology: optional(entry, places.topology),
        worker_count: optional(entry, places.worker_count),
        task_id: optional(entry, places.task_id),
        detail: entry,
      }),
    );
}

function swarmsInLines({ line, none }: LineList, result: CommandResult): Swarm[] {
  const lines = linesOf(result.stdout);
  const fits = fitsOf(line, lines);
  if (!fits || (fits.length === 0 && !fitsAny(none, lines))) throw unreadable(result);
  return fits.map(({ named }) =>
    swarmOf(result, { ...named, worker_count: numberIn(named.worker_count), detail: named }),
  );
}

const numberIn = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;

const Entry = z
  .object({
    swarm_id: SwarmId,
    status: z.string(),
    topology: z.string().nullable().catch(null),
    worker_count: z.number().int().nullable().catch(null),
    task_id: TaskId.nullable().catch(null),
    detail: z.unknown(),
  })
  .transform(
    ({ swarm_id: swarmId, worker_count: workerCount, task_id: taskId, status, topology, detail }): Swarm => ({
      ...{ swarmId, status, topology, workerCount, taskId, detail },
    }),
  );

function swarmOf(result: CommandResult, entry: Record<string, unknown>): Swarm {
  const parsed = Entry.safeParse(entry);
  if (!parsed.success) throw unreadable(result);
  return parsed.data;
}
