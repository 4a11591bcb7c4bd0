import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type Dockerode from "dockerode";
import { contentHash, makeImage } from "./import-image.ts";
import { ROOTFS_CHANGES, stageFile, stageRootfs, stageScript } from "./rootfs.ts";

const PROJECT = join(import.meta.dirname, "../..");
/** All that the demo swarm needs of this project, at the same places as here. */
const SOURCES = ["sidecar/demo", "shared"];
const PACKAGES = ["node_modules/ws", "node_modules/zod"];
const PARTS = [...SOURCES, ...PACKAGES, "package.json"];
const HOME = "/opt/hivegate";

/** The demo swarm's program in the container: `hive serve`, `hive hive-mind …`. */
export const DEMO_CLI = "/usr/local/bin/hive";

const LAUNCHER = `#!/usr/local/bin/node
import("${HOME}/sidecar/demo/main.ts");
`;

/** Makes the demo swarm's files part of a staged root file system. */
export async function stageDemo(dir: string): Promise<void> {
  for (const part of PARTS) await stageFile(dir, join(PROJECT, part), join(HOME, part));
  await stageScript(dir, DEMO_CLI, LAUNCHER);
}

/**
 * Makes an image whose containers run the demo swarm, from this host's files alone: nothing is pulled.
 * Takes no time when an image of the same name and content is there already.
 * @throws ContainerError when this is not Linux, or Docker refuses
 */
export async function buildDemoImage(docker: Dockerode, { name }: { name: string }): Promise<void> {
  const versions = await Promise.all(
    PACKAGES.map((part) => readFile(join(PROJECT, part, "package.json"), "utf8")),
  );
  const sources = SOURCES.map((part) => join(PROJECT, part));
  await makeImage(docker, {
    name,
    content: await contentHash([process.version, LAUNCHER, ...ROOTFS_CHANGES, ...versions], sources),
    changes: [...ROOTFS_CHANGES, `CMD ["${DEMO_CLI}", "serve"]`, "ENV DEMO_HOST=0.0.0.0"],
    stage: async (dir) => {
      await stageRootfs(dir);
      await stageDemo(dir);
    },
  });
}
