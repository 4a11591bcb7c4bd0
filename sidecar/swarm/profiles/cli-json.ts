import { HivegateError } from "../../../shared/errors.ts";
import type { CommandResult } from "../executor.ts";

/**
 * The JSON object that a command printed, whatever log lines came before it; null when there is none. An
 * object begins at the start of a line, as all of these CLIs print it.
 */
export function printedJson(stdout: string): unknown {
  // With a line end in front, the place of "\n{" is the place of "{" in stdout itself.
  const start = `\n${stdout}`.indexOf("\n{");
  const end = stdout.lastIndexOf("}");
  if (start === -1 || end < start) return null;
  try {
    return JSON.parse(stdout.slice(start, end + 1));
  } catch {
    return null;
  }
}

/** `swarm_failed`, with what the command really said for the log alone. */
export const unreadable = (result: CommandResult): HivegateError =>
  new HivegateError("swarm_failed", "The swarm's answer could not be understood.", { cause: result });
