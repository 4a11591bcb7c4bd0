/** A container with a stepped swarm, whose directory this host shares. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Dockerode from "dockerode";
import { type SteppedSwarm, steppedSwarm } from "./stepped-swarm.ts";

const SHARED = "/swarm";

export type SteppedContainer = {
  name: string;
  swarm: SteppedSwarm;
  /** What makes a sidecar use it. */
  env: Record<string, string>;
  container: Dockerode.Container;
  /** Removes the container, and makes another one of the same name. */
  recreate(): Promise<void>;
  remove(): Promise<void>;
};

export async function startSteppedContainer(
  docker: Dockerode,
  options: { image: string },
): Promise<SteppedContainer> {
  const name = `hivegate-test-${randomUUID()}`;
  const dir = mkdtempSync(join(tmpdir(), "hivegate-stepped-"));
  const swarm = steppedSwarm(dir, SHARED);
  const container = docker.getContainer(name);
  const start = async () => {
    await docker.createContainer({
      name,
      Image: options.image,
      // As the first process of a container it ends only on signals that it listens for.
      Cmd: ["node", "-e", "process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1e9)"],
      HostConfig: { Binds: [`${dir}:${SHARED}`], NetworkMode: "none" },
    });
    await container.start();
  };
  const remove = () => container.remove({ force: true, v: true });
  await start();
  return {
    ...{ name, swarm, container },
    env: { ...swarm.env, MULTI_AGENT_CONTAINER_NAME: name, ENABLE_MCP_TELEMETRY: "false" },
    recreate: async () => {
      await remove();
      await start();
    },
    remove: async () => {
      await remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
