/** A profile out of its description in a file. */
import { z } from "zod";
import { SwarmId, TaskId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { Check, CustomProfile, SpawnElement } from "./custom-schema.ts";
import { at, holdsAll } from "./json-pointer.ts";
import { fitsOf, linesOf } from "./pattern.ts";
import type { Profile, SpawnRequest } from "./profile.ts";
import { filled } from "./template.ts";

export function customProfile(description: CustomProfile): Profile {
  const { name, prepare, spawn, swarmId, list, controls } = description;
  return {
    name,
    prepare: prepare
      ? { check: prepare.check, isReady: (result) => succeeded(prepare.ready, result), argv: prepare.argv }
      : null,
    spawn: (cli, request) => [...cli, ...spawnArgs(spawn, request)],
    swarmId: (output) => (swarmId === undefined ? null : swarmIdIn(swarmId, output)),
    outcome: (exitCode, output) => outcomeOf(description.outcome, exitCode, output),
    list: list ? { argv: (cli) => [...cli, ...list.argv], read: (result) => readSwarms(list, result) } : null,
    controls: {
      stop: controlOf(controls.stop),
      pause: controlOf(controls.pause),
      resume: controlOf(controls.resume),
    },
  };
}

function spawnArgs({ argv, priorities }: CustomProfile["spawn"], request: SpawnRequest): string[] {
  const { task, taskId, priority, verbose } = request;
  const values = { task, task_id: taskId, priority: priorities[priority] };
  const elements = (element: SpawnElement): string[] => {
    if (typeof element === "string") return [element];
    return verbose ? element.verbose : [];
  };
  return argv.flatMap(elements).map((element) => filled(element, values));
}

/** Among so many lines of a task's output the swarm's id is looked for. */
const FIRST_LINES = 200;

/** A line without its end may be the beginning of a longer one. */
function swarmIdIn(pattern: string, output: string): string | null {
  const [fit] = fitsOf(pattern, linesOf(output).slice(0, -1).slice(0, FIRST_LINES));
  return SwarmId.safeParse(fit?.groups[0]).data ?? null;
}

function outcomeOf(
  { rules, lastLines }: CustomProfile["outcome"],
  exitCode: number | null,
  output: string,
): ReturnType<Profile["outcome"]> {
  // Not more lines: further up some CLIs repeat the task's text, which may hold any line.
  const end = linesOf(output)
    .filter((line) => line.trim() !== "")
    .slice(-lastLines);
  for (const { state, reason, line, ...rule } of rules) {
    if (!isExit(rule.exitCode, exitCode)) continue;
    const fit = line === undefined ? null : fitsOf(line, end).at(-1);
    if (fit === undefined) continue;
    if (state !== "failed") return { state, reason: null };
    return { state, reason: reason ?? fit?.groups[0] ?? defaultReason(exitCode) };
  }
  if (exitCode === null) return { state: "lost", reason: null };
  return { state: "failed", reason: defaultReason(exitCode) };
}

const isExit = (expected: number | "not 0" | undefined, exitCode: number | null): boolean => {
  if (expected === undefined) return true;
  return expected === "not 0" ? exitCode !== null && exitCode !== 0 : exitCode === expected;
};

const defaultReason = (exitCode: number | null): string =>
  exitCode === null || exitCode === 0
    ? "The swarm's command ended without having done the task."
    : `The swarm's command ended with exit code ${exitCode}.`;

function succeeded({ line, json }: Check, { exitCode, stdout }: CommandResult): boolean {
  return (
    exitCode === 0 &&
    (line === undefined || fitsOf(line, linesOf(stdout)).length > 0) &&
    (json === undefined || holdsAll(printedJson(stdout), json))
  );
}

function controlOf(
  control: NonNullable<CustomProfile["controls"]["stop"]> | undefined,
): Profile["controls"]["stop"] {
  if (!control) return null;
  return {
    argv: (cli, swarmId) => [
      ...cli,
      ...control.argv.map((element) => filled(element, { swarm_id: swarmId })),
    ],
    succeeded: (result) => succeeded(control.succeeded, result),
  };
}

function readSwarms(list: NonNullable<CustomProfile["list"]>, result: CommandResult): Swarm[] {
  if (result.exitCode !== 0) throw unreadable(result);
  return "json" in list ? swarmsInJson(list.json, result) : swarmsInLines(list, result);
}

type JsonList = Extract<NonNullable<CustomProfile["list"]>, { json: unknown }>["json"];

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

type LineList = Extract<NonNullable<CustomProfile["list"]>, { line: unknown }>;

function swarmsInLines({ line, none }: LineList, result: CommandResult): Swarm[] {
  const lines = linesOf(result.stdout);
  const fits = fitsOf(line, lines);
  if (fits.length === 0 && fitsOf(none, lines).length === 0) throw unreadable(result);
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
