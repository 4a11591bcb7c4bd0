/** The swarm that `npm start` brings up, or finds: on this host, in a container it makes, or in yours. */
import { fileURLToPath } from "node:url";
import Dockerode from "dockerode";
import { z } from "zod";
import { defaultMcpServers, SwarmProfileName } from "../../config.ts";
import { buildDemoImage, DEMO_CLI } from "../../container/image.ts";
import { ContainerError } from "../../container/rootfs.ts";
import { startContainer } from "../../container/start-container.ts";
import { type Children, StartError } from "./children.ts";

const DEMO_MAIN = fileURLToPath(new URL("../../demo/main.ts", import.meta.url));
const IMAGE = "hivegate-demo";
const CONTAINER = "hivegate-demo";

const Listening = z.object({
  event: z.literal("listening"),
  mcp: z.number(),
  ws: z.number(),
  health: z.number(),
});

export type Swarm = {
  /** In words, for the one who typed the command. */
  description: string;
  /** What the sidecar needs to know of it. */
  env: Record<string, string>;
  stop(): Promise<void>;
};

/** The demo swarm as processes of this host. */
export async function localSwarm(children: Children): Promise<Swarm> {
  const line = await children.start({
    name: "demo swarm",
    argv: [process.execPath, DEMO_MAIN, "serve"],
    env: process.env,
    isReady: isListening,
  });
  const { mcp, ws, health } = Listening.parse(JSON.parse(line));
  return {
    description: "the demo swarm on this host",
    env: {
      SWARM_PROFILE: "demo",
      SWARM_EXECUTOR: "process",
      DEMO_MCP_PORT: `${mcp}`,
      ...servers(mcp, ws, health),
    },
    // Stopped with the other processes.
    stop: async () => {},
  };
}

/** The demo swarm in a container made here, or the swarm in a container that runs already. */
export async function containerSwarm(): Promise<Swarm> {
  const name = process.env.MULTI_AGENT_CONTAINER_NAME;
  const docker = new Dockerode({ socketPath: process.env.DOCKER_SOCKET ?? "/var/run/docker.sock" });
  await docker.ping().catch((cause: unknown) => {
    throw new StartError("Docker does not answer: start it, or run npm start without --docker", { cause });
  });
  return name ? existingContainer(docker, name) : demoContainer(docker);
}

async function existingContainer(docker: Dockerode, name: string): Promise<Swarm> {
  const found = await docker
    .getContainer(name)
    .inspect()
    .catch(() => null);
  if (!found) throw new StartError(`MULTI_AGENT_CONTAINER_NAME: there is no container ${name}`);
  if (!found.State.Running)
    throw new StartError(
      `MULTI_AGENT_CONTAINER_NAME: container ${name} is not running: docker start ${name}`,
    );
  const profile = SwarmProfileName.safeParse(process.env.SWARM_PROFILE ?? "claude-flow@3");
  if (!profile.success) {
    throw new StartError(`SWARM_PROFILE: expected one of ${SwarmProfileName.options.join(", ")}`);
  }
  const mcpServers = defaultMcpServers(profile.data, placeOf(found.NetworkSettings, 9500));
  const orchestrator = placeOf(found.NetworkSettings, 3002);
  return {
    description: `container ${name}`,
    env: {
      SWARM_PROFILE: profile.data,
      SWARM_EXECUTOR: "docker",
      MULTI_AGENT_CONTAINER_NAME: name,
      MCP_SERVERS: process.env.MCP_SERVERS ?? JSON.stringify(mcpServers),
      ORCHESTRATOR_WS_URL:
        process.env.ORCHESTRATOR_WS_URL ?? `ws://${orchestrator.host}:${orchestrator.port}/ws`,
    },
    stop: async () => {},
  };
}

/** Where this host reaches a container's port: as it is published, else at the container's own address. */
function placeOf(network: Dockerode.ContainerInspectInfo["NetworkSettings"], port: number) {
  const [published] = network.Ports[`${port}/tcp`] ?? [];
  if (published) return { host: "127.0.0.1", port: Number(published.HostPort) };
  const addresses = Object.values(network.Networks).map(({ IPAddress }) => IPAddress);
  return { host: addresses.find((address) => address !== "") ?? "127.0.0.1", port };
}

async function demoContainer(docker: Dockerode): Promise<Swarm> {
  try {
    await buildDemoImage(docker, { name: IMAGE });
    const container = await startContainer(docker, {
      name: CONTAINER,
      image: IMAGE,
      ports: [9500, 3002, 9501],
    });
    return {
      description: `the demo swarm in container ${CONTAINER}`,
      env: {
        SWARM_PROFILE: "demo",
        SWARM_EXECUTOR: "docker",
        MULTI_AGENT_CONTAINER_NAME: CONTAINER,
        CLAUDE_FLOW_PATH: DEMO_CLI,
        ...servers(container.hostPort(9500), container.hostPort(3002), container.hostPort(9501)),
      },
      stop: () => container.remove(),
    };
  } catch (error) {
    throw error instanceof ContainerError ? new StartError(error.message, { cause: error }) : error;
  }
}

const servers = (mcp: number, ws: number, health: number) => ({
  MCP_SERVERS: JSON.stringify([{ name: "demo", profile: "demo", host: "127.0.0.1", port: mcp }]),
  ORCHESTRATOR_WS_URL: `ws://127.0.0.1:${ws}/ws`,
  MCP_HEALTH_URL: `http://127.0.0.1:${health}/health`,
});

export const isListening = (line: string): boolean => line.includes('"event":"listening"');
