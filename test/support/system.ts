/** A whole system of real processes: demo swarm, sidecar, gateway. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Demo, type DemoOptions, startDemo } from "./demo.ts";
import { newSecret, type RunningGateway, startGateway } from "./gateway.ts";
import { type Sidecar, startSidecar } from "./sidecar.ts";

export type System = {
  demo: Demo;
  sidecar: Sidecar;
  gateway: RunningGateway;
  keys: Record<string, string>;
  /** What a sidecar on the same ledger needs, to be started again. */
  sidecarEnv: Record<string, string>;
  /** Starts the sidecar again on the same port and ledger, after it was killed. */
  restartSidecar(): Promise<void>;
  /** Starts the gateway again on the same port and storage, after it was killed. */
  restartGateway(): Promise<void>;
  stop(): Promise<void>;
};

export async function startSystem(
  options: { demo?: DemoOptions; env?: Record<string, string> } = {},
): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-system-"));
  const demo = await startDemo(options.demo);
  const keys = { test: newSecret() };
  const sidecarEnv = {
    ...demo.env,
    SIDECAR_KEYS: JSON.stringify(keys),
    SIDECAR_STATE_DIR: join(dir, "sidecar"),
    SWARM_EXECUTOR: "process",
    MCP_SERVERS: JSON.stringify([{ name: "demo", profile: "demo", host: "127.0.0.1", port: demo.mcpPort }]),
    ORCHESTRATOR_WS_URL: `ws://127.0.0.1:${demo.wsPort}/ws`,
    MCP_HEALTH_URL: `http://127.0.0.1:${demo.healthPort}/health`,
    ...options.env,
  };
  const sidecar = await startSidecar({ env: sidecarEnv });
  const gatewayOptions = { sidecarUrl: sidecar.url, keys, stateDir: join(dir, "gateway") };
  const gateway = await startGateway(gatewayOptions);

  const system: System = {
    demo,
    sidecar,
    gateway,
    keys,
    sidecarEnv,
    restartSidecar: async () => {
      const port = new URL(sidecar.url).port;
      system.sidecar = await startSidecar({ env: { ...sidecarEnv, SIDECAR_PORT: port } });
    },
    restartGateway: async () => {
      const { port, jwtSecret } = gateway;
      system.gateway = await startGateway({ ...gatewayOptions, port, jwtSecret });
    },
    stop: async () => {
      await system.gateway.stop();
      await system.sidecar.stop();
      await demo.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return system;
}
