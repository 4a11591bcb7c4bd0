/** What happens to a task, told on stdout: one JSON object a line, among whatever else is printed. */
import { z } from "zod";
import { SwarmId } from "../../../shared/protocol/ids.ts";
import { printedJson } from "./cli-json.ts";
import type { Profile } from "./profile.ts";

const Spawned = z.object({ event: z.literal("spawned"), swarmId: SwarmId });
const Ended = z.object({
  event: z.enum(["completed", "failed", "stopped"]),
  reason: z.string().nullish(),
});

/** The swarm's id and the outcome by the first `spawned` and the last end that a command told. */
export const bySpawnEvents: Pick<Profile, "swarmId" | "outcome"> = {
  swarmId: (output) => firstOf(wholeLines(output), Spawned)?.swarmId ?? null,

  outcome(exitCode, output) {
    const end = firstOf(output.split("\n").reverse(), Ended);
    if (end) return { state: end.event, reason: end.reason ?? null };
    if (exitCode === null) return { state: "lost", reason: null };
    return { state: "failed", reason: `The swarm ended without a result (exit code ${exitCode}).` };
  },
};

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
