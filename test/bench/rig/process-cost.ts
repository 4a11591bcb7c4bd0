import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Of iproute2. */
const SOCKET_STATISTICS = "ss";

/** Processor time that the threads of a process have used, milliseconds; of a thread that has ended nothing is known. */
export function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/** Memory that a process holds. */
export function rssBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Files, sockets and pipes that a process has open. */
export const descriptorCount = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** How many there are of a process and all that it started, directly or not. */
export const processCount = (pid: number): number => familyOf(pid).length;

/** Memory of a process and all that it started; what several share counts once. */
export const familyBytes = (pid: number): number =>
  familyOf(pid).reduce((sum, member) => sum + ownShareBytes(member), 0);

const familyOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(familyOf)];

/** None of one that has ended meanwhile. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** 0: it has ended meanwhile. */
function ownShareBytes(pid: number): number {
  try {
    const [, kilobytes] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Connections of a process to a port of this host, and the bytes that it has sent over them. */
export function connectionsTo(port: number, pid: number): { count: number; sentBytes: number } {
  const query = ["-HtinpO", "state", "established", "dport", "=", `:${port}`];
  const lines = execFileSync(SOCKET_STATISTICS, query, { encoding: "utf8" }).split("\n");
  const own = lines.filter((line) => line.includes(`pid=${pid},`));
  const sent = own.map((line) => Number(/\bbytes_sent:(\d+)/.exec(line)?.[1] ?? 0));
  return { count: own.length, sentBytes: sent.reduce((sum, bytes) => sum + bytes, 0) };
}
