import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second, on every architecture. */
const TICK_MS = 10;

/** Processor time that all threads of a process have used, those that ended included; milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name comes first, in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Memory that a process holds. */
export function rssBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** A process and all that it started, directly or not. */
export function processCount(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
  );
  return children.reduce((count, child) => count + processCount(Number(child)), 1);
}

/** Connections of this host to a port of its own, and the bytes that were sent to it over them. */
export function connectionsTo(port: number): { count: number; sentBytes: number } {
  const query = ["-HtinO", "state", "established", "dport", "=", `:${port}`];
  const lines = execFileSync("ss", query, { encoding: "utf8" }).split("\n").filter(Boolean);
  const sent = lines.map((line) => Number(/\bbytes_sent:(\d+)/.exec(line)?.[1] ?? 0));
  return { count: lines.length, sentBytes: sent.reduce((sum, bytes) => sum + bytes, 0) };
}
