/**
 * The session script that containers with claude-flow 2 came with: `create TASK PRIORITY METADATA` prints a session's
 * UUID, `start UUID` runs its hive mind, `list` prints all sessions. It has no stop, pause or resume.
 */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import { SwarmId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { Profile } from "./profile.ts";
import { runnerArgv } from "./runner.ts";
import { bySpawnEvents } from "./spawn-events.ts";

const Sessions = z.object({ sessions: z.record(SwarmId, z.looseObject({ status: z.string() })) });

/**
 * The script pastes the text into a JSON file and from there, between single quotes, into a shell's command line. Texts
 * that would end either are refused: escaped for one generation of the script, they are a hole in another.
 */
const CANNOT_CARRY = /['"`$\\\p{Cc}\p{Zl}\p{Zp}]/u;

export const sessionScript: Profile = {
  name: "session-script",
  prepare: null,

  /** @throws HivegateError `not_supported` for a text that the script cannot carry */
  spawn(cli, { taskId, task, priority }) {
    if (CANNOT_CARRY.test(task)) {
      throw new HivegateError(
        "not_supported",
        "This swarm takes no text with quotes, backslashes, $ or line ends. Write it without them.",
      );
    }
    const metadata = JSON.stringify({ task_id: taskId });
    return runnerArgv("session-script", cli, ["create", ` ${task}`, priority.toLowerCase(), metadata]);
  },

  ...bySpawnEvents,

  list: { argv: (cli) => [...cli, "list"], read: readSessions },
  controls: { stop: null, pause: null, resume: null },
};

function readSessions(result: CommandResult): Swarm[] {
  const parsed = result.exitCode === 0 ? Sessions.safeParse(printedJson(result.stdout)) : null;
  if (!parsed?.success) throw unreadable(result);
  return Object.entries(parsed.data.sessions).map(([swarmId, session]) => ({
    ...{ swarmId, status: session.status, topology: null, workerCount: null },
    taskId: null,
    detail: session,
  }));
}
