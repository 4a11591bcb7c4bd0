/** What must not be left when a task is over. Empty where there is no /proc to look into. */
import { readdirSync, readlinkSync } from "node:fs";
import { markedProcesses, taskMarker } from "../../sidecar/swarm/process/marked.ts";

/** The processes of this host that still run for a task. */
export const processesFor = (taskId: string): number[] =>
  process.platform === "linux" ? markedProcesses(taskMarker(taskId)) : [];

/** The sockets that a process has open. */
export function socketsOf(pid: number): number {
  if (process.platform !== "linux") return 0;
  const dir = `/proc/${pid}/fd`;
  const leadsTo = (fd: string): string => {
    try {
      return readlinkSync(`${dir}/${fd}`);
    } catch {
      return ""; // Closed since it was listed.
    }
  };
  return readdirSync(dir).filter((fd) => leadsTo(fd).startsWith("socket:")).length;
}
