import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { buildDemoImage } from "../../sidecar/container/image.ts";
import { CLAUDE_FLOW_CLI, startClaudeFlow } from "../support/claude-flow.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";
import { npmStart, startEnv } from "../support/npm-start.ts";
import { connectSocket } from "../support/socket-client.ts";

describe.skipIf(!(await dockerAvailable()))("npm start -- --docker", () => {
  const containers = new TestContainers();
  let env: Record<string, string>;
  let clean: () => Promise<void>;
  beforeAll(async () => {
    ({ env, clean } = await startEnv());
  });
  afterAll(() => clean());

  it("U3 H1 runs tasks in a container that it made, and removes the container on Ctrl-C", async () => {
    const { child, exited, until } = npmStart(env, ["--docker"]);
    const [, url = "", token = ""] = await until(/Page {4}(http:\S+)\/#token=(\S+)/);
    await until(/Ctrl-C stops everything/);
    const response = await fetch(`${url}/v1/hives/default/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ task: "count primes below 1000" }),
    });
    expect(await response.json()).toMatchObject({ success: true, method: "docker-exec" });
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    await expect(docker.getContainer("hivegate-demo").inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it("U3 H1 S2 works with a container that runs claude-flow already, and finds its MCP server", async () => {
    const container = await startClaudeFlow(containers, { claude: { runsForMs: 500 } });
    const settings = { MULTI_AGENT_CONTAINER_NAME: container.name, CLAUDE_FLOW_PATH: CLAUDE_FLOW_CLI };
    const { child, exited, until } = npmStart({ ...env, ...settings }, ["--docker"]);
    const [, url = "", token = ""] = await until(/Page {4}(http:\S+)\/#token=(\S+)/);
    await until(/Ctrl-C stops everything/);
    const client = new HivegateClient({ baseUrl: url, hive: "default", token });
    const { task } = await client.createTask({ task: "Build a REST API" });
    const stream = await connectSocket(url, "/v1/hives/default/stream", token);
    await stream.next("snapshot");
    await stream.next("agent_update", ({ payload }) => payload.agents.length > 0, 20_000);
    for await (const event of client.events(task.taskId, { after: 0 })) {
      if (event.kind === "state") expect(event.task.state).not.toBe("failed");
    }
    stream.close();
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    await containers.removeAll();
  });

  it("U3 H4 works with a swarm that a file describes, in a container of one's own", async () => {
    await buildDemoImage(docker, { name: "hivegate-test-demo" });
    const container = await containers.start({ image: "hivegate-test-demo" });
    const SWARM_PROFILE_FILE = fileURLToPath(new URL("../../docs/profiles/demo.json", import.meta.url));
    const settings = {
      MULTI_AGENT_CONTAINER_NAME: container.name,
      SWARM_PROFILE: "custom",
      SWARM_PROFILE_FILE,
    };
    const { child, exited, until } = npmStart({ ...env, ...settings }, ["--docker"]);
    const [, url = "", token = ""] = await until(/Page {4}(http:\S+)\/#token=(\S+)/);
    await until(/Ctrl-C stops everything/);
    const client = new HivegateClient({ baseUrl: url, hive: "default", token });
    const { task } = await client.createTask({ task: "count primes below 1000" });
    const ends: string[] = [];
    for await (const event of client.events(task.taskId, { after: 0 }))
      if (event.kind === "state") ends.push(event.task.state);
    expect(ends.at(-1)).toBe("completed");
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    await containers.removeAll();
  });

  it("H8 says in one line that there is no swarm of a kind", async () => {
    const container = await containers.start({ image: "hivegate-test-demo" });
    const settings = { MULTI_AGENT_CONTAINER_NAME: container.name, SWARM_PROFILE: "ruv-swarm" };
    const { exited, output } = npmStart({ ...env, ...settings }, ["--docker"]);
    expect(await exited).toBe(1);
    expect(output().trim()).toMatch(
      /^hivegate: SWARM_PROFILE: expected one of demo, claude-flow@3, .*custom$/,
    );
    await containers.removeAll();
  });

  it("H8 says in one line that a container named by MULTI_AGENT_CONTAINER_NAME is not there", async () => {
    const { exited, output } = npmStart({ ...env, MULTI_AGENT_CONTAINER_NAME: "no-such-container" }, [
      "--docker",
    ]);
    expect(await exited).toBe(1);
    expect(output().trim()).toBe(
      "hivegate: MULTI_AGENT_CONTAINER_NAME: there is no container no-such-container",
    );
  });
});
