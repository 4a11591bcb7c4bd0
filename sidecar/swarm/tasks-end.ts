/** How a task ended, by all that is known of it: whether it was asked to, its process, its output, its swarm. */
import { ERRORS } from "../../shared/errors.ts";
import { hasEnded, type Task, TaskState } from "../../shared/swarm/task.ts";
import type { Exit } from "./executor.ts";
import type { Profile } from "./profiles/profile.ts";
import type { SwarmCli } from "./tasks-cli.ts";
import { shortened } from "./tasks-listed.ts";

const TIME_IS_UP = "It ran for longer than its time limit and was stopped.";

export type TaskEnd = Pick<Task, "state" | "error">;

/** Why a task was ended from here, if it was. */
export type Asked = "stop" | "time_is_up";

/**
 * `output` is the end of standard output. The state is `lost` when all that does not tell: exit code 0 with
 * output lost is no failure for want of a closing line, which may be among what was lost.
 */
export function endSeen(
  profile: Profile,
  asked: Asked | null,
  exit: Exit & { lostOutput: boolean },
  output: string,
): TaskEnd {
  const end = exit.end ?? endTold(profile, exit, output);
  const isOwnEnd = end.state === "completed" && (exit.end || !meansCompleted(profile, exit.exitCode));
  if (asked === null || isOwnEnd) return end;
  // Any other end is the one that was asked for: a process that is ended from outside fails in whatever way.
  if (asked === "stop") return endAs("stopped");
  return { state: "failed", error: { code: "timeout", message: TIME_IS_UP } };
}

function endTold(
  profile: Profile,
  { exitCode, lostOutput }: Exit & { lostOutput: boolean },
  output: string,
): TaskEnd {
  const { state, reason } = profile.outcome(lostOutput && exitCode === 0 ? null : exitCode, output);
  return hasEnded(state) ? endAs(state, reason) : endAs("lost");
}

/** Whether a success by exit code alone is one to this swarm: many a process exits so when it is asked to end. */
const meansCompleted = (profile: Profile, exitCode: number | null): boolean =>
  profile.outcome(exitCode, "").state === "completed";

/**
 * When nobody saw the process end its swarm may still know how it did; null when that does not tell.
 * @throws HivegateError as `SwarmCli.swarm`
 */
export async function endBySwarm(
  cli: SwarmCli,
  task: Pick<Task, "taskId" | "swarmId">,
): Promise<TaskEnd | null> {
  const state = SwarmEnd.safeParse((await cli.swarm(task))?.status);
  return state.success ? endAs(state.data) : null;
}

/** The words of a swarm's own for its end that mean what ours do. */
const SwarmEnd = TaskState.extract(["completed", "failed", "stopped"]);

function endAs(state: TaskState, reason: string | null = null): TaskEnd {
  if (state !== "failed") return { state, error: null };
  return { state, error: { code: "swarm_failed", message: shortened(reason ?? ERRORS.swarm_failed.advice) } };
}
