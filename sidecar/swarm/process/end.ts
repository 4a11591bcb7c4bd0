import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { HivegateError } from "../../../shared/errors.ts";
import { END_MARKED, isMarked, markedProcesses } from "./marked.ts";

const POLL_MS = 50;
/** How long a killed process may take to vanish. */
const KILL_LIMIT_MS = 5_000;

/** Processes to end, or to look for. `leader`: the first of them and head of their group, if it is known. */
export type Processes = { marker: string; leader: number | null };

/**
 * Asks processes to end (TERM) and ends them (KILL) if they live on after `graceMs`; resolves when none is left.
 * By their marker where there is a /proc; elsewhere (macOS) by their group.
 * @throws HivegateError `swarm_failed` when some cannot be ended
 */
export async function endProcesses({ marker, leader }: Processes, graceMs: number): Promise<void> {
  const ended =
    process.platform === "linux"
      ? await endMarked(marker, graceMs)
      : leader === null || (await endGroup(leader, graceMs));
  if (!ended) throw new HivegateError("swarm_failed", "The command's processes could not be ended.");
}

/** Whether the leader lives; any of the processes where it is not known. */
export function anyAlive({ marker, leader }: Processes): boolean {
  // Elsewhere than on Linux the leader's number may be another's by now: there is no telling.
  if (process.platform !== "linux") return leader !== null && signal(leader, 0);
  return leader === null ? markedProcesses(marker).length > 0 : isMarked(leader, marker);
}

async function endMarked(marker: string, graceMs: number): Promise<boolean> {
  const ender = spawn(process.execPath, ["-e", END_MARKED, marker, String(graceMs)], {
    stdio: "ignore",
    env: {},
  });
  const [code] = await once(ender, "exit");
  return code === 0;
}

/** Whether a process group is gone after TERM, or KILL after `graceMs`. */
export async function endGroup(leader: number, graceMs: number): Promise<boolean> {
  signal(-leader, graceMs > 0 ? "SIGTERM" : "SIGKILL");
  for (let waitedMs = 0; signal(-leader, 0); waitedMs += POLL_MS) {
    if (waitedMs >= graceMs + KILL_LIMIT_MS) return false;
    if (waitedMs >= graceMs) signal(-leader, "SIGKILL");
    await sleep(POLL_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
