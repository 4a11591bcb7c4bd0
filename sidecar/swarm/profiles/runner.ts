/** How a task of claude-flow 2 is run: see `hive-mind-runner.js`, which goes along as an argument. */
import { readFileSync } from "node:fs";

const SOURCE = readFileSync(new URL("hive-mind-runner.js", import.meta.url), "utf8");

/** argv that runs `[...cli, ...args]` to its task's end; Node has to be on the PATH there, as for the CLI itself. */
export const runnerArgv = (
  kind: "hive-mind" | "session-script",
  cli: readonly string[],
  args: readonly string[],
): string[] => [
  ...["node", "--input-type=module", "-e", SOURCE, "--"],
  ...[kind, String(cli.length), ...cli, ...args],
];
