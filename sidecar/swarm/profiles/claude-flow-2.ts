/**
 * claude-flow 2, as 2.7.47 really behaves: text only, and exit code 0 whatever happens. Sessions are what it lists,
 * stops and resumes, so a session's id stands for the swarm's. There is one database per working directory.
 */
import { SwarmId, TaskId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { Priority } from "../../../shared/swarm/task.ts";
import type { CommandResult } from "../executor.ts";
import { unreadable } from "./cli-json.ts";
import type { Profile } from "./profile.ts";
import { runnerArgv } from "./runner.ts";
import { bySpawnEvents } from "./spawn-events.ts";

const QUEENS: Record<Priority, string> = { High: "tactical", Medium: "strategic", Low: "adaptive" };

const NONE = ["No active or paused sessions found", "No hive mind database found"];

/** The head of a session's entry. What follows `Objective: ` is the task's text, which may hold any lines. */
const SESSION =
  /^═{60}\n(?:🟢|🟡|⚫) (.*)\nSession ID: (session-\d+-\w+)\nStatus: (active|paused)\nObjective: /gmu;
const AGENTS = /^Real Progress:\n {2}Agents: (\d{1,9})$/m;
const OUR_NAME = /^hivegate-(.+)$/;

export const claudeFlow2: Profile = {
  name: "claude-flow@2",
  prepare: null,

  /**
   * The CLI knows no end of options, takes the element after an option for its value, and `-v` anywhere for a
   * question. So the text comes before all options and behind a space, which the CLI trims off again.
   */
  spawn: (cli, { taskId, task, priority, verbose }) =>
    runnerArgv("hive-mind", cli, [
      ...["hive-mind", "spawn", ` ${task}`, "--claude", "--auto-spawn", "--non-interactive"],
      ...["--queen-type", QUEENS[priority], "--auto-scale", "--monitor", "--name", `hivegate-${taskId}`],
      ...(verbose ? ["--verbose"] : []),
    ]),

  ...bySpawnEvents,

  list: { argv: (cli) => [...cli, "hive-mind", "sessions"], read: readSessions },

  /**
   * A task is stopped by its processes: asked to end, the runner stops the session too. By `hive-mind stop` alone the
   * CLI would live on. There is no `pause`. `resume` says that it succeeded and changes a word in the database, but
   * nothing works on: that is no resuming.
   */
  controls: { stop: null, pause: null, resume: null },
};

/** Ended sessions are not listed. Of two entries with one id the second is part of a task's text. */
function readSessions(result: CommandResult): Swarm[] {
  const { exitCode, stdout } = result;
  if (exitCode !== 0) throw unreadable(result);
  if (NONE.includes(stdout.trim())) return [];
  const heads = [...stdout.matchAll(SESSION)];
  if (heads.length === 0) throw unreadable(result);
  const swarms = new Map<string, Swarm>();
  for (const [index, { 1: name = "", 2: id, 3: status = "", index: start }] of heads.entries()) {
    const swarmId = SwarmId.safeParse(id).data;
    if (swarmId === undefined || swarms.has(swarmId)) continue;
    const entry = stdout.slice(start, heads[index + 1]?.index);
    swarms.set(swarmId, {
      ...{ swarmId, status, topology: null, workerCount: workersIn(entry) },
      taskId: TaskId.safeParse(OUR_NAME.exec(name)?.[1]).data ?? null,
      detail: { name, text: entry },
    });
  }
  return [...swarms.values()];
}

/** Its queen is one of the agents. */
function workersIn(entry: string): number | null {
  const agents = Number(AGENTS.exec(entry)?.[1] ?? 0);
  return agents > 0 ? agents - 1 : null;
}
