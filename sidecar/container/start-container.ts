import type Dockerode from "dockerode";
import { z } from "zod";
import { ContainerError } from "./rootfs.ts";

export type RunningContainer = {
  id: string;
  /** The port of 127.0.0.1 that stands for a port of the container. */
  hostPort(port: number): number;
  /** Ends the container and removes it. Harmless when it is gone already. */
  remove(): Promise<void>;
};

const Refusal = z.object({ statusCode: z.number() });

/**
 * Runs a container whose `ports` are published on free ports of 127.0.0.1. Without `cmd` it runs what its image
 * says.
 * @throws ContainerError when the name is taken or Docker refuses
 */
export async function startContainer(
  docker: Dockerode,
  options: {
    name: string;
    image: string;
    ports: readonly number[];
    cmd?: readonly string[];
    env?: readonly string[];
  },
): Promise<RunningContainer> {
  const bindings = options.ports.map((port) => [`${port}/tcp`, [{ HostIp: "127.0.0.1", HostPort: "" }]]);
  try {
    const container = await docker.createContainer({
      name: options.name,
      Image: options.image,
      ...(options.cmd ? { Cmd: [...options.cmd] } : {}),
      Env: [...(options.env ?? [])],
      ExposedPorts: Object.fromEntries(options.ports.map((port) => [`${port}/tcp`, {}])),
      // An init process reaps what ended tasks leave behind.
      HostConfig: { PortBindings: Object.fromEntries(bindings), Init: await hasInit(docker) },
    });
    return await started(container);
  } catch (cause) {
    throw new ContainerError(explain(cause, options.name), { cause });
  }
}

async function started(container: Dockerode.Container): Promise<RunningContainer> {
  const remove = async () => {
    await container.remove({ force: true, v: true }).catch((thrown: unknown) => {
      if (Refusal.safeParse(thrown).data?.statusCode !== 404) throw thrown;
    });
  };
  try {
    await container.start();
    const { NetworkSettings } = await container.inspect();
    return {
      id: container.id,
      hostPort: (port) => {
        const published = NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort;
        if (!published) throw new ContainerError(`Port ${port} of the container is not published.`);
        return Number(published);
      },
      remove,
    };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

const hasInit = async (docker: Dockerode): Promise<boolean> => {
  const { InitBinary } = z.object({ InitBinary: z.string().optional() }).parse(await docker.info());
  return Boolean(InitBinary);
};

function explain(cause: unknown, name: string): string {
  if (cause instanceof ContainerError) return cause.message;
  if (Refusal.safeParse(cause).data?.statusCode === 409) {
    return `There is a container named ${name} already: remove it (docker rm --force ${name}) and try again.`;
  }
  return `The container ${name} could not be started: ${cause instanceof Error ? cause.message : String(cause)}`;
}
