/** A disk of its own for a directory, small enough to be filled. Needs to be root on Linux. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SmallDisk = {
  dir: string;
  /** Leaves no room for anything. */
  fill(): void;
  empty(): void;
  remove(): void;
};

/** Whether this process may mount one; that it may not is said aloud. */
export function canMount(): boolean {
  const isAllowed = process.platform === "linux" && process.getuid?.() === 0;
  if (!isAllowed)
    console.warn("SKIPPED: only root can mount a small disk, so nothing is said about a full one.");
  return isAllowed;
}

export function smallDisk(sizeKiB: number): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), "hivegate-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKiB}k`, "hivegate-test", dir]);
  const filling = join(dir, "filling");
  const remove = () => {
    process.off("exit", remove);
    execFileSync("umount", ["--lazy", dir]);
    rmSync(dir, { recursive: true });
  };
  process.once("exit", remove);
  return {
    dir,
    fill: () => {
      // To the last page: what fits no more is written in part, until nothing does.
      for (let bytes = sizeKiB * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
        try {
          writeFileSync(filling, Buffer.alloc(bytes), { flag: "a" });
        } catch (thrown) {
          if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC")) throw thrown;
        }
      }
    },
    empty: () => rmSync(filling, { force: true }),
    remove,
  };
}
