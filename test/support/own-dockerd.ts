/** A Docker daemon of a test's own, which it may stop, kill and start again. Needs to be root on Linux. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Dockerode from "dockerode";
import { vi } from "vitest";

const WITHIN_MS = 60_000;

export type OwnDockerd = {
  socketPath: string;
  docker: Dockerode;
  /** `liveRestore`: containers outlive the daemon. Resolves when it answers. */
  start(options: { liveRestore: boolean }): Promise<void>;
  /** Ends the daemon, and resolves when it has ended: by TERM with what it has to put in order, by KILL at once. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Ends it and all that it left running, containers too. */
  remove(): Promise<void>;
};

/** Whether this process can run one; that it cannot is said aloud. */
export function canRunDockerd(): boolean {
  const isRoot = process.platform === "linux" && process.getuid?.() === 0;
  const found = isRoot && existsOnPath("dockerd") && existsOnPath("unshare");
  if (!found) console.warn("SKIPPED: no dockerd to be run here, so nothing is said about its restart.");
  return found;
}

export function ownDockerd(): OwnDockerd {
  const dir = mkdtempSync(join(tmpdir(), "hivegate-dockerd-"));
  const socketPath = join(dir, "docker.sock");
  const docker = new Dockerode({ socketPath, timeout: 20_000 });
  const settings = join(dir, "daemon.json");
  writeFileSync(settings, "{}");
  mkdirSync(join(dir, "exec"));
  let daemon: ChildProcess | null = null;
  const killAll = () => {
    // What runs in containers is the children of those that bear the name.
    for (const pid of processesNaming(dir)) for (const each of [...childrenOf(pid), pid]) kill(each);
  };
  process.once("exit", killAll);

  const end = async (by: NodeJS.Signals): Promise<void> => {
    if (!daemon) return;
    const ended = once(daemon, "exit");
    daemon.kill(by);
    await ended;
    daemon = null;
    // The kernel ends it with its parent; what it wrote down of itself would keep the next from starting.
    await until(() => processesNaming(join(dir, "exec/containerd/containerd.toml")).length === 0);
    for (const file of ["pid", "exec/containerd/containerd.pid"]) rmSync(join(dir, file), { force: true });
  };
  const start = async ({ liveRestore }: { liveRestore: boolean }): Promise<void> => {
    const args = [
      ...["--config-file", settings, "--data-root", join(dir, "data"), "--exec-root", join(dir, "exec")],
      ...["--pidfile", join(dir, "pid"), "--host", `unix://${socketPath}`, `--live-restore=${liveRestore}`],
      ...["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"],
    ];
    // In a network of its own: a daemon without a bridge takes away the bridge of the host's daemon.
    daemon = spawn("unshare", ["--net", "dockerd", ...args], { stdio: "ignore" });
    await vi.waitFor(() => docker.ping(), { timeout: WITHIN_MS, interval: 100 });
  };
  return {
    ...{ socketPath, docker, start, end },
    remove: async () => {
      if (!daemon) await start({ liveRestore: false });
      for (const { Id } of await docker.listContainers({ all: true }))
        await docker.getContainer(Id).remove({ force: true });
      await end("SIGTERM");
      await until(() => processesNaming(dir).length === 0);
      process.off("exit", killAll);
      for (const mount of mountsUnder(dir)) execFileSync("umount", [mount]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const until = (isSo: () => boolean): Promise<boolean> =>
  vi.waitUntil(isSo, { timeout: WITHIN_MS, interval: 50 });

const existsOnPath = (name: string): boolean =>
  (process.env.PATH ?? "").split(":").some((dir) => existsSync(join(dir, name)));

/** The processes whose command line names this path, which is nobody else's. */
const processesNaming = (path: string): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && commandLineOf(pid).includes(path));

const commandLineOf = (pid: number): string => readProc(`${pid}/cmdline`);

const childrenOf = (pid: number): number[] =>
  readProc(`${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);

function readProc(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, "utf8");
  } catch {
    return ""; // The process has ended.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Innermost first. */
const mountsUnder = (dir: string): string[] =>
  readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((mount) => mount.startsWith(`${dir}/`))
    .reverse();
