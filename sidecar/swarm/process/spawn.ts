import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { HivegateError } from "../../../shared/errors.ts";
import type { Exit } from "../executor.ts";

/** What a child may know of the sidecar's environment: never its keys. */
const PASSED_ON = ["PATH", "HOME", "LANG", "TZ"];

export type SpawnOptions = {
  cwd: string | undefined;
  env: Readonly<Record<string, string>>;
  /** `NAME=value` for the environment of this child. */
  marker: string;
  /** Descriptors for stdout and stderr. */
  output: ["pipe", "pipe"] | [number, number];
};

/**
 * Starts a process in a group of its own.
 * @throws HivegateError `swarm_unavailable` when it cannot be started; later failures are in `started`
 */
export function spawnCommand(
  [command = "", ...args]: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const passedOn = PASSED_ON.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  const [name = "", value] = options.marker.split("=");
  try {
    return spawn(command, args, {
      cwd: options.cwd,
      env: { ...Object.fromEntries(passedOn), ...options.env, [name]: value },
      detached: true,
      stdio: ["ignore", ...options.output],
    });
  } catch (cause) {
    throw cannotStart(cause);
  }
}

/** Resolves with the pid when the process runs. @throws HivegateError `swarm_unavailable` */
export async function started(child: ChildProcess): Promise<number> {
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw cannotStart(cause);
  }
  return child.pid ?? 0;
}

/** As shells tell it: 128 and the signal's number for a process that was ended by one. */
export const exitFrom = (code: number | null, signal: NodeJS.Signals | null): Exit => ({
  exitCode: code ?? (signal === null ? null : 128 + constants.signals[signal]),
});

const cannotStart = (cause: unknown): HivegateError =>
  new HivegateError(
    "swarm_unavailable",
    "The swarm's command cannot be started. Check that it is installed.",
    {
      cause,
    },
  );
