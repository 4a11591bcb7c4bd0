import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";

describe.skipIf(!(await dockerAvailable()))("a task in a container, its sidecar killed", () => {
  const containers = new TestContainers();
  let system: DockerSystem;

  beforeAll(async () => {
    await buildDemoImage(docker, { name: "hivegate-test-demo" });
    const container = await containers.start({ image: "hivegate-test-demo", ports: [9500] });
    system = await startDockerSystem({
      MULTI_AGENT_CONTAINER_NAME: container.name,
      CLAUDE_FLOW_PATH: DEMO_CLI,
      MCP_SERVERS: JSON.stringify([
        { name: "demo", profile: "demo", host: "127.0.0.1", port: container.hostPort(9500) },
      ]),
    });
  });

  afterAll(async () => {
    await system?.stop();
    await containers.removeAll();
  });

  it("H9 Q3 ends as the swarm says it ended, after one run", async () => {
    const { client } = system;
    const { task } = await client.createTask({ task: "count primes below 60000000" });
    await system.killAndRestartSidecar();
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
