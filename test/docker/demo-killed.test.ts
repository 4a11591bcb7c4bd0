import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";
import { newSecret, type RunningGateway, startGateway } from "../support/gateway.ts";
import { type Sidecar, startSidecar } from "../support/sidecar.ts";

describe.skipIf(!(await dockerAvailable()))("a task in a container, its sidecar killed", () => {
  const containers = new TestContainers();
  let dir: string;
  let env: Record<string, string>;
  let sidecar: Sidecar;
  let gateway: RunningGateway;
  let client: HivegateClient;

  beforeAll(async () => {
    await buildDemoImage(docker, { name: "hivegate-test-demo" });
    const container = await containers.start({ image: "hivegate-test-demo", ports: [9500] });
    dir = await mkdtemp(join(tmpdir(), "hivegate-docker-"));
    const keys = { test: newSecret() };
    env = {
      SIDECAR_KEYS: JSON.stringify(keys),
      SIDECAR_STATE_DIR: dir,
      SWARM_EXECUTOR: "docker",
      MULTI_AGENT_CONTAINER_NAME: container.name,
      CLAUDE_FLOW_PATH: DEMO_CLI,
      MCP_SERVERS: JSON.stringify([
        { name: "demo", profile: "demo", host: "127.0.0.1", port: container.hostPort(9500) },
      ]),
    };
    sidecar = await startSidecar({ env });
    gateway = await startGateway({ sidecarUrl: sidecar.url, keys });
    client = new HivegateClient({ baseUrl: gateway.url, hive: "default", token: await gateway.token() });
  });

  afterAll(async () => {
    await gateway?.stop();
    await sidecar?.stop();
    await containers.removeAll();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  it("H9 Q3 ends as the swarm says it ended, after one run", async () => {
    const { task } = await client.createTask({ task: "count primes below 60000000" });
    await sidecar.kill("SIGKILL");
    const { port } = new URL(sidecar.url);
    sidecar = await startSidecar({ env: { ...env, SIDECAR_PORT: port } });
    const events: TaskEvent[] = [];
    for await (const event of client.events(task.taskId, { after: 0 })) events.push(event);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(events.some(({ kind }) => kind === "gap")).toBe(true);
    expect(events.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });
    const { swarms } = await client.swarms();
    expect(swarms).toHaveLength(1);
    expect(swarms[0]).toMatchObject({ taskId: task.taskId, status: "completed" });
  });
});
