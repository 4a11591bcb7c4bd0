/**
 * A root file system for a small Linux container, made from what this host has and no registry: the Node
 * binary that is running, the libraries it needs, and busybox where there is a static one.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why no container can be made here, in words for the one who typed the command. */
export class ContainerError extends Error {}

/** The directory that commands and servers in the container work in. */
export const WORKDIR = "/work";

/** What Docker has to be told about a container with this root file system. */
export const ROOTFS_CHANGES = [
  `WORKDIR ${WORKDIR}`,
  "ENV PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LANG=C.UTF-8",
];

/**
 * Fills an empty directory.
 * @throws ContainerError when this host is not Linux
 */
export async function stageRootfs(dir: string): Promise<void> {
  if (process.platform !== "linux") {
    throw new ContainerError(
      "A container can be made only on Linux: run one of your own and set MULTI_AGENT_CONTAINER_NAME to its name.",
    );
  }
  for (const path of ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/local/bin", WORKDIR]) {
    await mkdir(join(dir, path), { recursive: true });
  }
  await chmod(join(dir, "tmp"), 0o1777);
  await writeFile(join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(dir, "etc/group"), "root:x:0:\n");
  await stageFile(dir, process.execPath, "/usr/local/bin/node");
  for (const library of await librariesOf(process.execPath)) await stageFile(dir, library, library);
  await stageBusybox(dir);
}

/** Copies a file or a directory of this host to a path in the container. */
export async function stageFile(dir: string, from: string, to: string): Promise<void> {
  const target = join(dir, to);
  await mkdir(dirname(target), { recursive: true });
  await cp(from, target, { recursive: true, dereference: true });
}

/** Writes an executable text, such as a launcher. */
export async function stageScript(dir: string, to: string, text: string): Promise<void> {
  const target = join(dir, to);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text, { mode: 0o755 });
}

/** The shared libraries of a program, and the loader, by their paths; none for a static one. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run("ldd", [program]).catch(() => ({ stdout: "" }));
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].flatMap(([, path]) => path ?? []);
}

/** A shell is for people who look into the container: nothing of ours needs one. */
async function stageBusybox(dir: string): Promise<void> {
  const busybox = "/usr/bin/busybox";
  const list = await run(busybox, ["--list"]).catch(() => null);
  if (list === null || (await librariesOf(busybox)).length > 0) return;
  await copyFile(busybox, join(dir, "bin/busybox"));
  for (const applet of list.stdout.split("\n").filter(Boolean)) {
    if (applet !== "busybox") await symlink("busybox", join(dir, "bin", applet));
  }
}
