/** The demo swarm's CLI (`sidecar/demo`): newline-delimited JSON from `spawn`, one JSON object from all else. */
import { z } from "zod";
import { SwarmId, TaskId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { Profile } from "./profile.ts";

const SwarmEntry = z.looseObject({
  swarmId: SwarmId,
  taskId: TaskId.nullable().catch(null),
  status: z.string(),
  topology: z.string().nullable().catch(null),
  workerCount: z.number().int().nullable().catch(null),
});
const Sessions = z.object({ sessions: z.array(SwarmEntry) });
const Success = z.object({ success: z.literal(true) });

const Spawned = z.object({ event: z.literal("spawned"), swarmId: SwarmId });
const Ended = z.object({
  event: z.enum(["completed", "failed", "stopped"]),
  reason: z.string().nullish(),
});

export const demo: Profile = {
  name: "demo",
  prepare: null,

  spawn: (cli, { task, priority, verbose }) => [
    ...cli,
    ...["hive-mind", "spawn", "--format", "json", "--priority", priority],
    ...(verbose ? ["--verbose"] : []),
    ...["--", task],
  ],

  swarmId: (output) => firstOf(wholeLines(output), Spawned)?.swarmId ?? null,

  outcome(exitCode, output) {
    const end = firstOf(output.split("\n").reverse(), Ended);
    if (end) return { state: end.event, reason: end.reason ?? null };
    if (exitCode === null) return { state: "lost", reason: null };
    return { state: "failed", reason: `The swarm ended without a result (exit code ${exitCode}).` };
  },

  list: {
    argv: (cli) => [...cli, "hive-mind", "sessions", "--format", "json"],
    read: (result) => swarmsOf(result, Sessions.safeParse(answerOf(result)).data?.sessions),
  },
  controls: {
    stop: {
      argv: (cli, swarmId) => [...cli, "hive-mind", "stop", "--format", "json", "--", swarmId],
      succeeded: (result) => Success.safeParse(answerOf(result)).success,
    },
    pause: null,
    resume: null,
  },
};

const answerOf = (result: CommandResult): unknown =>
  result.exitCode === 0 ? printedJson(result.stdout) : null;

function swarmsOf(result: CommandResult, entries: z.infer<typeof SwarmEntry>[] | undefined): Swarm[] {
  if (!entries) throw unreadable(result);
  return entries.map((entry) => ({
    swarmId: entry.swarmId,
    status: entry.status,
    topology: entry.topology,
    workerCount: entry.workerCount,
    taskId: entry.taskId,
    detail: entry,
  }));
}

/** A line without its end may be the beginning of a longer one. */
const wholeLines = (output: string): string[] => output.split("\n").slice(0, -1);

/** The first line that is JSON of this shape; the swarm may print anything else between. */
function firstOf<T>(lines: readonly string[], shape: z.ZodType<T>): T | null {
  for (const line of lines) {
    if (!line.startsWith("{")) continue;
    const parsed = shape.safeParse(printedJson(line));
    if (parsed.success) return parsed.data;
  }
  return null;
}
