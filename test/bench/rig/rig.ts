/** What nearly every benchmark needs: a gateway in production's runtime, a scripted swarm, and many clients. */
import { newSecret, type RunningGateway } from "../../support/gateway.ts";
import { Crowd } from "./crowd.ts";
import { HOSTS, type HostName } from "./hosts.ts";
import { ScriptedSidecar } from "./scripted-sidecar.ts";
import type { SwarmShape } from "./swarm.ts";

export type Rig = {
  gateway: RunningGateway;
  sidecar: ScriptedSidecar;
  crowd: Crowd;
  stop(): Promise<void>;
};

export async function startRig(shape: SwarmShape, host: HostName = "workerd"): Promise<Rig> {
  const key = newSecret();
  const sidecar = await ScriptedSidecar.start(key, shape);
  const gateway = await HOSTS[host].gateway({ sidecarUrl: sidecar.url, keys: { bench: key } });
  const crowd = new Crowd();
  return {
    ...{ gateway, sidecar, crowd },
    stop: async () => {
      await crowd.stop();
      await gateway.stop();
      await sidecar.stop();
    },
  };
}

export const forMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
