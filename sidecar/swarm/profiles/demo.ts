/** The demo swarm's CLI (`sidecar/demo`): newline-delimited JSON from `spawn`, one JSON object from all else. */
import { z } from "zod";
import { SwarmId, TaskId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { Profile } from "./profile.ts";
import { bySpawnEvents } from "./spawn-events.ts";

const SwarmEntry = z.looseObject({
  swarmId: SwarmId,
  taskId: TaskId.nullable().catch(null),
  status: z.string(),
  topology: z.string().nullable().catch(null),
  workerCount: z.number().int().nullable().catch(null),
});
const Sessions = z.object({ sessions: z.array(SwarmEntry) });
const Success = z.object({ success: z.literal(true) });

export const demo: Profile = {
  name: "demo",
  prepare: null,

  spawn: (cli, { task, priority, verbose }) => [
    ...cli,
    ...["hive-mind", "spawn", "--format", "json", "--priority", priority],
    ...(verbose ? ["--verbose"] : []),
    ...["--", task],
  ],

  ...bySpawnEvents,

  list: {
    argv: (cli) => [...cli, "hive-mind", "sessions", "--format", "json"],
    read: (result) => swarmsOf(result, Sessions.safeParse(answerOf(result)).data?.sessions),
  },
  controls: { stop: control("stop"), pause: control("pause"), resume: control("resume") },
};

function control(name: "stop" | "pause" | "resume"): Profile["controls"]["stop"] {
  return {
    argv: (cli, swarmId) => [...cli, "hive-mind", name, "--format", "json", "--", swarmId],
    succeeded: (result) => Success.safeParse(answerOf(result)).success,
  };
}

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
