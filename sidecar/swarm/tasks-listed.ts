/** Tasks as lists and telemetry show them: one client's long text must not make an answer for all too long. */
import { LIMITS } from "../../shared/limits.ts";
import type { Task } from "../../shared/swarm/task.ts";

/** At most `LIMITS.listedTaskTextChars` of a text, with an ellipsis where it was cut; no character is halved. */
export function shortened(text: string): string {
  if (text.length <= LIMITS.listedTaskTextChars) return text;
  return `${text.slice(0, LIMITS.listedTaskTextChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** The whole text is to be had by asking for the task itself. */
export const asListed = (task: Task): Task => ({ ...task, task: shortened(task.task) });
