import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { CLAUDE_FLOW_CLI, startClaudeFlow } from "../support/claude-flow.ts";
import { dockerAvailable, processesOf, TestContainers } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";
import { connectSocket } from "../support/socket-client.ts";

/**
 * Docker, claude-flow, sidecar, workerd: all real. Only Claude Code, which needs a key and a network, is stood
 * in for by a program that takes its arguments and its time.
 */
describe.skipIf(!(await dockerAvailable()))("the main job with claude-flow in a container", () => {
  const containers = new TestContainers();
  let container: Awaited<ReturnType<typeof startClaudeFlow>>;
  let system: DockerSystem;

  beforeAll(async () => {
    container = await startClaudeFlow(containers, { claude: { runsForMs: 4_000 } });
    system = await startDockerSystem({
      SWARM_PROFILE: "claude-flow@3",
      MULTI_AGENT_CONTAINER_NAME: container.name,
      CLAUDE_FLOW_PATH: CLAUDE_FLOW_CLI,
      MCP_SERVERS: JSON.stringify([
        { name: "claude-flow", profile: "claude-flow@3", host: "127.0.0.1", port: container.mcpPort },
      ]),
    });
  });

  afterAll(async () => {
    await system?.stop();
    await containers.removeAll();
  });

  it("H1 H2 S2 a WebSocket client starts a swarm by docker exec, and sees its agents over MCP and its output", async () => {
    const { gateway } = system;
    const token = await gateway.token();
    const stream = await connectSocket(gateway.url, "/v1/hives/default/stream", token);
    const relay = await connectSocket(gateway.url, "/v1/hives/default/relay", token, { as: "subprotocol" });
    const { payload } = await stream.next("snapshot");
    expect(payload.agents).toEqual([]);
    await stream.next("agent_update", ({ payload }) => payload.servers?.[0]?.status === "available");

    relay.send({
      type: "create_task",
      task: 'Build a "REST" API; $(reboot)',
      priority: "high",
      follow: true,
    });
    const created = await relay.next("task_created", undefined, 30_000);
    expect(created).toMatchObject({ success: true, method: "docker-exec", created: true });

    const update = await stream.next("agent_update", ({ payload }) => payload.agents.length > 0, 20_000);
    expect(update.payload.agents[0]).toMatchObject({
      server: "claude-flow",
      server_source: "claude_flow",
      status: "idle",
      progress: null,
    });
    const end = await relay.next(
      "task_event",
      ({ event }) => event.kind === "state" && event.task.endedAt !== null,
      30_000,
    );
    expect(end.event).toMatchObject({
      task: { state: "completed", exitCode: 0, swarmId: expect.stringMatching(/^hive-/) },
    });
    stream.close();
    relay.close();
  });

  it("H5 H6 S2 S3 shows the container's figures, the swarm's topology, and what docker and MCP say when asked", async () => {
    const { gateway } = system;
    const filters = JSON.stringify({ include_performance: true, include_topology: true });
    const path = `/v1/hives/default/stream?filters=${encodeURIComponent(filters)}`;
    const stream = await connectSocket(gateway.url, path, await gateway.token());
    const { payload } = await stream.next(
      "agent_update",
      ({ payload }) => payload.performance_metrics?.container != null,
      20_000,
    );
    const figures = payload.performance_metrics?.container;
    expect(figures?.container).toBe(container.name);
    expect(figures?.memory_bytes).toBeGreaterThan(1_000_000);
    expect(figures?.processes).toBeGreaterThan(0);

    stream.send({ type: "request_agents" });
    const agents = await stream.next("multi_agent_update", undefined, 20_000);
    expect(agents).toMatchObject({
      source: "docker",
      swarms: [{ swarmId: expect.stringMatching(/^hive-/) }],
    });
    stream.send({ type: "request_discovery" });
    expect(await stream.next("discovery")).toMatchObject({
      docker: { docker_health: "healthy" },
      mcp: { servers: [{ server: "claude-flow", server_source: "claude_flow", status: "available" }] },
    });
    stream.send({ type: "request_topology" });
    const topology = await stream.next("topology_update");
    expect(topology.swarms[0]).toMatchObject({ server: "claude-flow", swarm_id: agents.swarms[0]?.swarmId });
    stream.close();
  });

  it("H4 lists the swarm and its status as the CLI tells them, and refuses what the CLI has not", async () => {
    const { client } = system;
    const { swarms, method } = await client.swarms();
    expect(method).toBe("docker-exec");
    expect(swarms).toMatchObject([{ status: "active", topology: expect.any(String) }]);
    const { task } = await client.createTask({ task: "something to pause" });
    await expect(client.pause(task.taskId)).rejects.toMatchObject({ code: "not_supported" });
    const stopped = await client.stop(task.taskId);
    expect(stopped.state).toBe("stopped");
    expect((await processesOf(container.name)).filter((line) => line.includes("something to pause"))).toEqual(
      [],
    );
  });

  it("H9 Q3 waits for a task after the sidecar was killed: one run, and what nobody saw is not made up", async () => {
    const { client } = system;
    const { task } = await client.createTask({ task: "survive" });
    await system.killAndRestartSidecar();
    const events: TaskEvent[] = [];
    for await (const event of client.events(task.taskId, { after: 0 })) events.push(event);
    expect(events.some(({ kind }) => kind === "gap")).toBe(true);
    // claude-flow keeps no record of how a spawn ended, and Docker none of an exec whose reader died.
    expect(events.at(-1)).toMatchObject({ kind: "state", task: { state: "lost", exitCode: null } });
    expect((await processesOf(container.name)).filter((line) => line.includes("survive"))).toEqual([]);
    const { tasks } = await client.status();
    expect(tasks.filter((each) => each.task === "survive")).toHaveLength(1);
  });
});
