/**
 * Everything that runs for a task or a command carries a marker (`NAME=value`) in its environment, and so
 * does everything it starts: by it processes are found again, whoever their parent is now. Linux only.
 */
import { readdirSync, readFileSync } from "node:fs";

export const taskMarker = (taskId: string): string => `HIVEGATE_TASK_ID=${taskId}`;
export const commandMarker = (commandId: string): string => `HIVEGATE_COMMAND_ID=${commandId}`;

/** Whether process `pid` lives and carries the marker. */
export function isMarked(pid: number, marker: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(marker);
  } catch {
    return false; // It is gone, or somebody else's.
  }
}

/** The processes of this host that carry the marker. */
export const markedProcesses = (marker: string): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && isMarked(pid, marker));

/**
 * What the programs below begin with. They are plain JavaScript in one text, because they are also run inside
 * containers, where there may be an older Node and nothing of ours.
 */
const MARKED = `
const { readdirSync, readFileSync } = require("node:fs");
const [marker, graceMs] = process.argv.slice(1);
const isMarked = (pid) => {
  try { return readFileSync("/proc/" + pid + "/environ", "latin1").split("\\0").includes(marker); }
  catch { return false; }
};
const marked = () => readdirSync("/proc").filter((name) => /^[1-9]/.test(name) && isMarked(name)).map(Number);
`;

/** A Node program, `node -e AWAIT_MARKED <marker>`, that ends when no process with the marker is left. */
export const AWAIT_MARKED = `${MARKED}
const look = () => marked().length === 0 || setTimeout(look, 250);
look();
`;

/**
 * A Node program, `node -e END_MARKED <marker> <graceMs>`, that ends all processes with the marker: TERM, then
 * KILL for those that live on after `graceMs` (0: KILL at once). It says by exit code 0 that none is left.
 * It looks again after every round: a process may fork while the list is read.
 */
export const END_MARKED = `${MARKED}
const send = (pid, signal) => { try { process.kill(pid, signal); } catch {} };
const killAtMs = Date.now() + Number(graceMs);
const giveUpAtMs = killAtMs + 5000;
const asked = new Set();
const round = () => {
  const pids = marked();
  if (pids.length === 0) process.exit(0);
  const nowMs = Date.now();
  if (nowMs >= giveUpAtMs) process.exit(1);
  for (const pid of pids) {
    if (nowMs >= killAtMs) send(pid, "SIGKILL");
    else if (!asked.has(pid)) send(pid, "SIGTERM");
    asked.add(pid);
  }
  setTimeout(round, 50);
};
round();
`;
