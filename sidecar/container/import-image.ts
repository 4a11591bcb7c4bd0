import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import type Dockerode from "dockerode";
import { ContainerError } from "./rootfs.ts";

const CONTENT_LABEL = "hivegate.content";

/** What an image is made of: `content` tells one from another, `stage` fills an empty directory with it. */
export type ImageSpec = {
  name: string;
  content: string;
  changes: readonly string[];
  stage(dir: string): Promise<void>;
};

/**
 * Makes the image unless there is one of this name and content already.
 * @throws ContainerError in words for the one who typed the command
 */
export async function makeImage(docker: Dockerode, spec: ImageSpec): Promise<void> {
  const old = await findImage(docker, spec.name);
  if (old?.content === spec.content) return;
  const dir = await mkdtemp(join(tmpdir(), "hivegate-image-"));
  try {
    await spec.stage(dir);
    await importImage(docker, dir, spec);
    // The one it replaces has lost its name. A container that still runs from it keeps it.
    if (old)
      await docker
        .getImage(old.id)
        .remove()
        .catch(() => {});
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A hash of texts and of all files under the directories, by name and content. */
export async function contentHash(texts: readonly string[], dirs: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(texts));
  for (const dir of dirs) {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(file).update(await readFile(file));
  }
  return hash.digest("hex").slice(0, 16);
}

async function findImage(
  docker: Dockerode,
  name: string,
): Promise<{ id: string; content: string | null } | null> {
  try {
    const { Id, Config } = await docker.getImage(name).inspect();
    return { id: Id, content: Config.Labels?.[CONTENT_LABEL] ?? null };
  } catch {
    return null; // Not there; if Docker is not either, the import says so.
  }
}

async function importImage(docker: Dockerode, dir: string, spec: ImageSpec): Promise<void> {
  const tar = spawn("tar", ["--create", "--directory", dir, "."], { stdio: ["ignore", "pipe", "pipe"] });
  const complaints: Buffer[] = [];
  tar.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  const packed = new Promise<void>((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`tar ended with exit code ${code}: ${Buffer.concat(complaints)}`));
    });
  });
  const changes = [...spec.changes, `LABEL ${CONTENT_LABEL}=${JSON.stringify(spec.content)}`];
  try {
    const imported = docker.importImage(tar.stdout, { repo: spec.name, changes });
    const [answer] = await Promise.all([imported, packed]);
    await finished(answer.pipe(new PassThrough().resume()));
  } catch (cause) {
    tar.kill();
    throw new ContainerError(`The image ${spec.name} could not be made: ${String(cause)}`, { cause });
  }
}
