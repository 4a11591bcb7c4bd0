/** A sidecar and a gateway in front of a container, all real, for the Docker tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HivegateClient } from "../../shared/client/rest.ts";
import { newSecret, type RunningGateway, startGateway } from "./gateway.ts";
import { type Sidecar, startSidecar } from "./sidecar.ts";

export type DockerSystem = {
  sidecar: Sidecar;
  readonly gateway: RunningGateway;
  readonly client: HivegateClient;
  /** Kills the sidecar without a word, and starts another on its port and ledger. */
  killAndRestartSidecar(): Promise<void>;
  stop(): Promise<void>;
};

/** `env` says which container, and what is in it. */
export async function startDockerSystem(env: Record<string, string>): Promise<DockerSystem> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-docker-"));
  const keys = { test: newSecret() };
  const sidecarEnv = {
    SIDECAR_KEYS: JSON.stringify(keys),
    SIDECAR_STATE_DIR: dir,
    SWARM_EXECUTOR: "docker",
    ...env,
  };
  const sidecar = await startSidecar({ env: sidecarEnv });
  const gateway = await startGateway({ sidecarUrl: sidecar.url, keys });
  const client = new HivegateClient({
    baseUrl: gateway.url,
    hive: "default",
    token: await gateway.token(),
  });
  const system: DockerSystem = {
    sidecar,
    gateway,
    client,
    killAndRestartSidecar: async () => {
      await system.sidecar.kill("SIGKILL");
      const { port } = new URL(sidecar.url);
      system.sidecar = await startSidecar({ env: { ...sidecarEnv, SIDECAR_PORT: port } });
    },
    stop: async () => {
      await gateway.stop();
      await system.sidecar.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return system;
}
