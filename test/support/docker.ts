/** What the Docker tests share: is there a Docker, an image to run, containers that go away again. */
import { randomUUID } from "node:crypto";
import Dockerode from "dockerode";
import { z } from "zod";
import { makeImage } from "../../sidecar/container/import-image.ts";
import { ROOTFS_CHANGES, stageRootfs } from "../../sidecar/container/rootfs.ts";
import { type RunningContainer, startContainer } from "../../sidecar/container/start-container.ts";

export const docker = new Dockerode();

const ProcessList = z.object({ Processes: z.array(z.tuple([z.string(), z.string()])) });

/**
 * Whether Docker answers. Where it has to (CI=true or HIVEGATE_REQUIRE_DOCKER=1) its absence is an error: a
 * skipped test proves nothing. Elsewhere the skip is said aloud.
 */
export async function dockerAvailable(): Promise<boolean> {
  try {
    await new Dockerode({ timeout: 5_000 }).ping();
    return true;
  } catch (cause) {
    const { CI, HIVEGATE_REQUIRE_DOCKER } = process.env;
    if (CI === "true" || HIVEGATE_REQUIRE_DOCKER === "1") {
      throw new Error("Docker does not answer, and here the Docker tests may not be skipped", { cause });
    }
    console.warn(
      "SKIPPED: Docker does not answer, so the Docker tests prove nothing. Run .ci/docker.sh first.",
    );
    return false;
  }
}

/** An image with Node and, where the host has it, busybox. It stays, so that the next run need not make it. */
export async function nodeImage(daemon: Dockerode = docker): Promise<string> {
  const name = "hivegate-test-node";
  const content = [process.version, ...ROOTFS_CHANGES].join(" ");
  await makeImage(daemon, { name, content, changes: ROOTFS_CHANGES, stage: stageRootfs });
  return name;
}

/** Containers with names of their own; `removeAll` when the tests are over. */
export class TestContainers {
  readonly #running: RunningContainer[] = [];

  async start(options: {
    image: string;
    ports?: readonly number[];
    cmd?: readonly string[];
    env?: readonly string[];
  }): Promise<RunningContainer & { name: string }> {
    const name = `hivegate-test-${randomUUID()}`;
    const container = await startContainer(docker, { ...options, name, ports: options.ports ?? [] });
    this.#running.push(container);
    return { ...container, name };
  }

  async removeAll(): Promise<void> {
    await Promise.all(this.#running.map((container) => container.remove()));
  }
}

/** The command lines of all that runs in a container. */
export async function processesOf(name: string, daemon: Dockerode = docker): Promise<string[]> {
  const { Processes } = ProcessList.parse(await daemon.getContainer(name).top({ ps_args: "-eo pid,args" }));
  return Processes.map(([, args]) => args);
}
