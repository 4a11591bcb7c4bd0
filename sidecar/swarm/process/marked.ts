/**
 * Everything that runs for a task or a command carries a marker (`NAME=value`) in its environment, and so does what
 * it starts, unless it is given another environment: by it processes are found again, whoever their parent is now.
 * Linux only.
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
 * A Node program, `node -e END_MARKED <marker> <graceMs>`, that ends all processes with the marker, and what they
 * started without it: their children, and everybody in a session of theirs, which began with one of them. TERM first,
 * then KILL for those that live on after `graceMs` (0: KILL at once). It says by exit code 0 that none is left.
 *
 * It looks again after every round, because processes fork while the list is read, and remembers whom it has found,
 * because a child loses its parent. What is started without the marker by somebody who was asked to end is left until
 * the time is up: it cleans up. Those to be killed are halted first: who does not run starts nobody unseen.
 */
export const END_MARKED = `${MARKED}
const send = (pid, signal) => { try { process.kill(pid, signal); } catch {} };
const processOf = (pid) => {
  try {
    const stat = readFileSync("/proc/" + pid + "/stat", "latin1");
    // The name before may hold anything, closing brackets too.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parent, , session] = fields;
    if ("ZX".includes(state)) return null;
    // With the time of its start, because numbers come again.
    const id = pid + " " + fields[19];
    return { pid, id, parent: Number(parent), session: Number(session), marked: isMarked(pid) };
  } catch { return null; }
};
const found = new Set();
const living = () => {
  const names = readdirSync("/proc").filter((name) => /^[1-9]/.test(name));
  const everybody = names.map((name) => processOf(Number(name))).filter((each) => each !== null);
  const ours = new Map();
  const sessions = new Set();
  const belongs = ({ marked, id, parent, session }) =>
    marked || found.has(id) || ours.has(parent) || sessions.has(session);
  for (let before = -1; ours.size > before; ) {
    before = ours.size;
    for (const each of everybody) {
      if (ours.has(each.pid) || !belongs(each)) continue;
      ours.set(each.pid, each);
      found.add(each.id);
      // 0: it began outside of this container.
      if (each.session > 0) sessions.add(each.session);
    }
  }
  return [...ours.values()];
};
const halted = () => {
  for (let before = -1; ; ) {
    const all = living();
    if (all.length <= before) return all;
    before = all.length;
    for (const { pid } of all) send(pid, "SIGSTOP");
  }
};
const killAtMs = Date.now() + Number(graceMs);
const giveUpAtMs = killAtMs + 5000;
const asked = new Set();
let isFirst = true;
const round = () => {
  const nowMs = Date.now();
  const all = nowMs >= killAtMs ? halted() : living();
  if (all.length === 0) process.exit(0);
  if (nowMs >= giveUpAtMs) process.exit(1);
  for (const { pid, id, marked } of all) {
    if (nowMs >= killAtMs) send(pid, "SIGKILL");
    else if (!asked.has(id) && (marked || isFirst)) send(pid, "SIGTERM");
    asked.add(id);
  }
  isFirst = false;
  setTimeout(round, 50);
};
round();
`;
