/** Client, gateway, sidecar, swarm, and a way between each two: all can be lost and brought back one by one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GatewayOptions, newSecret, type RunningGateway } from "./gateway.ts";
import { type Sidecar, startSidecar } from "./sidecar.ts";
import { type SteppedSwarm, steppedSwarm } from "./stepped-swarm.ts";
import { type SteppedWay, startWay } from "./stepped-way.ts";

export type Part = "gateway" | "sidecar";

export type WalkedSystem = {
  swarm: SteppedSwarm;
  toGateway: SteppedWay;
  toSidecar: SteppedWay;
  /** What a client needs. */
  access: { baseUrl: string; hive: string; token: string };
  sidecar(): Sidecar;
  /** Kills it (-9), and what was on its way to or from it is gone. Who wants to reach it waits until it is back. */
  lose(part: Part): Promise<void>;
  bringBack(part: Part): Promise<void>;
  /** Both, one after the other. */
  replace(part: Part): Promise<void>;
  stop(): Promise<void>;
};

export async function startWalkedSystem(
  startGateway: (options: GatewayOptions) => Promise<RunningGateway>,
): Promise<WalkedSystem> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-walk-"));
  const swarm = steppedSwarm(join(dir, "swarm"));
  const keys = { test: newSecret() };
  const env = {
    ...swarm.env,
    SIDECAR_KEYS: JSON.stringify(keys),
    SIDECAR_STATE_DIR: join(dir, "sidecar"),
    ENABLE_MCP_TELEMETRY: "false",
  };
  let sidecar = await startSidecar({ env });
  const toSidecar = await startWay(portOf(sidecar));
  const options = {
    sidecarUrl: `http://127.0.0.1:${toSidecar.port}`,
    keys,
    jwtSecret: newSecret(),
    stateDir: join(dir, "gateway"),
  };
  let gateway = await startGateway(options);
  const toGateway = await startWay(gateway.port);

  const parts = {
    gateway: {
      way: toGateway,
      kill: () => gateway.kill("SIGKILL"),
      start: async () => {
        gateway = await startGateway(options);
        return gateway.port;
      },
    },
    sidecar: {
      way: toSidecar,
      kill: () => sidecar.kill("SIGKILL"),
      start: async () => {
        sidecar = await startSidecar({ env });
        return portOf(sidecar);
      },
    },
  };
  const lose = async (part: Part): Promise<void> => {
    const { way, kill } = parts[part];
    way.shut();
    await kill();
    way.cut();
  };
  const bringBack = async (part: Part): Promise<void> => parts[part].way.open(await parts[part].start());
  return {
    ...{ swarm, toGateway, toSidecar, lose, bringBack },
    access: {
      baseUrl: `http://127.0.0.1:${toGateway.port}`,
      hive: "default",
      token: await gateway.token(),
    },
    sidecar: () => sidecar,
    replace: async (part) => {
      await lose(part);
      await bringBack(part);
    },
    stop: async () => {
      await toGateway.close();
      await gateway.stop();
      await toSidecar.close();
      await sidecar.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const portOf = ({ url }: Sidecar): number => Number(new URL(url).port);
