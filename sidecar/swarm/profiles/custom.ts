/** A profile out of its description in a file. */
import { SwarmId } from "../../../shared/protocol/ids.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson } from "./cli-json.ts";
import { readSwarms } from "./custom-list.ts";
import type { Check, CustomProfile, SpawnElement } from "./custom-schema.ts";
import { holdsAll } from "./json-pointer.ts";
import { type Fit, fitsAny, fitsOf, linesOf } from "./pattern.ts";
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

/**
 * A line without its end may be the beginning of a longer one.
 * @throws when the pattern takes too long: it would hold up everybody else, line after line
 */
function swarmIdIn(pattern: string, lines: string): string | null {
  const fits = fitsOf(pattern, linesOf(lines).slice(0, -1));
  if (fits === null) throw new Error("the pattern swarmId of the swarm's profile takes too long");
  return SwarmId.safeParse(fits[0]?.groups[0]).data ?? null;
}

const NO_LINE: Fit = { groups: [], named: {} };
const TOO_SLOW = "How it ended could not be read: a pattern of the swarm's profile took too long.";

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
    const fits = line === undefined ? [NO_LINE] : fitsOf(line, end);
    // A rule further down might take a failure for a success.
    if (fits === null) return { state: "failed", reason: TOO_SLOW };
    const fit = fits.at(-1);
    if (!fit) continue;
    if (state !== "failed") return { state, reason: null };
    return { state, reason: reason ?? fit.groups[0] ?? defaultReason(exitCode) };
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
    (line === undefined || fitsAny(line, linesOf(stdout))) &&
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
