/**
 * claude-flow 3, as 3.43.0 really behaves: unknown subcommands print help and exit 0, `--json` is ignored but
 * `--format json` works, and a log line may come before the JSON. There is one hive per working directory.
 */
import { z } from "zod";
import { SwarmId } from "../../../shared/protocol/ids.ts";
import type { Swarm } from "../../../shared/protocol/sidecar.ts";
import type { Priority } from "../../../shared/swarm/task.ts";
import type { CommandResult } from "../executor.ts";
import { printedJson, unreadable } from "./cli-json.ts";
import type { Profile } from "./profile.ts";

const STATUS = ["hive-mind", "status", "--format", "json"] as const;
const QUEENS: Record<Priority, string> = { High: "tactical", Medium: "strategic", Low: "adaptive" };

const Hive = z.looseObject({
  hiveId: SwarmId,
  status: z.string(),
  topology: z.string().nullable().catch(null),
  workerCount: z.number().int().nullable().catch(null),
  initialized: z.boolean(),
});

const NO_AGENT =
  "No agent was started: Claude Code is not on the PATH of the swarm. Install it there: npm install -g @anthropic-ai/claude-code";

export const claudeFlow3: Profile = {
  name: "claude-flow@3",

  prepare: {
    check: STATUS,
    isReady: (result) => hiveOf(result)?.initialized === true,
    argv: ["hive-mind", "init", "--format", "json"],
  },

  /**
   * The text comes last, behind `--`: its parser takes all that follows as text, even `--help` or `true`, which
   * elsewhere would become an option or a boolean. `--non-interactive` makes Claude Code work through the task
   * (`claude -p`) where without a terminal it would have nobody to talk to. By its own default the CLI lets it
   * use its tools without asking: what keeps it in bounds is the container.
   */
  spawn: (cli, { task, priority, verbose }) => [
    ...cli,
    ...["hive-mind", "spawn", "--claude", "--auto-spawn", "--non-interactive"],
    ...["--queen-type", QUEENS[priority], "--auto-scale", "--monitor"],
    ...(verbose ? ["--verbose"] : []),
    ...["--", task],
  ],

  swarmId: (output) => /^ *- Swarm ID: (\S+)\r?\n/m.exec(output)?.[1] ?? null,

  /**
   * Exit code 0 says little. Spawning first registers workers in a file, which do no work by themselves; the
   * task is done by Claude Code alone, so it is completed only when that ran and ended well. Without `claude`
   * on the PATH the CLI prints how to install it and exits 0; asked to stop, it says so and exits 0.
   */
  outcome(exitCode, output) {
    const end = lastLines(output);
    if (end.includes("[WARN] Claude Code CLI not found in PATH"))
      return { state: "failed", reason: NO_AGENT };
    if (end.includes("[OK] Session paused")) return { state: "stopped", reason: null };
    if (exitCode !== null && exitCode !== 0) {
      return { state: "failed", reason: `The swarm's command ended with exit code ${exitCode}.` };
    }
    if (end.includes("[OK] Claude Code completed successfully")) return { state: "completed", reason: null };
    if (exitCode === null) return { state: "lost", reason: null };
    return { state: "failed", reason: "The swarm's command ended without having done the task." };
  },

  list: { argv: (cli) => [...cli, ...STATUS], read: readHives },
  /** `hive-mind stop`, `pause` and `resume` do not exist; they would print help and exit 0. */
  controls: { stop: null, pause: null, resume: null },
};

/**
 * The lines among which the CLI says how it ended. Not more: further up it repeats the task's text, which may
 * hold any line.
 */
const lastLines = (output: string): string[] =>
  output
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(-12);

function hiveOf(result: CommandResult): z.infer<typeof Hive> | null {
  if (result.exitCode !== 0) return null;
  return Hive.safeParse(printedJson(result.stdout)).data ?? null;
}

/** Where no hive was made the CLI invents an id at each call: that is no swarm. */
function readHives(result: CommandResult): Swarm[] {
  const hive = hiveOf(result);
  if (!hive) throw unreadable(result);
  if (!hive.initialized) return [];
  const { hiveId: swarmId, status, topology, workerCount } = hive;
  return [{ swarmId, status, topology, workerCount, taskId: null, detail: hive }];
}
