import { TaskId } from "../../shared/protocol/ids.ts";
import { type Arguments, UsageError } from "./command.ts";

/** The task that a command is about: its first word. @throws UsageError */
export function taskIdOf(args: Arguments): string {
  const taskId = TaskId.safeParse(args.words[0]);
  if (!taskId.success) throw new UsageError('TASK is a task\'s id; "hivegate tasks" lists them.');
  return taskId.data;
}
