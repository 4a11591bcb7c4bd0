import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { CreateTaskResult } from "../../shared/protocol/sidecar.ts";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";

const run = promisify(execFile);
const Refusal = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() });

describe.skipIf(!(await dockerAvailable()))("a task that Docker cannot run", () => {
  const containers = new TestContainers();
  const systems: DockerSystem[] = [];
  let container: string;

  beforeAll(async () => {
    await buildDemoImage(docker, { name: "hivegate-test-demo" });
    container = (await containers.start({ image: "hivegate-test-demo" })).name;
  });

  afterAll(async () => {
    for (const system of systems) await system.stop();
    await containers.removeAll();
  });

  /** What a client at the edge is told when it asks for a task, twice with the same key if need be. */
  async function asker(env: Record<string, string>) {
    const system = await startDockerSystem({
      MULTI_AGENT_CONTAINER_NAME: container,
      CLAUDE_FLOW_PATH: DEMO_CLI,
      ENABLE_MCP_TELEMETRY: "false",
      ...env,
    });
    systems.push(system);
    const { gateway } = system;
    const token = await gateway.token();
    return async () => {
      const response = await fetch(`${gateway.url}/v1/hives/default/tasks`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "idempotency-key": "one" },
        body: JSON.stringify({ task: "count primes below 1000" }),
      });
      return { status: response.status, body: await response.json() };
    };
  }

  it.each([
    ["is not there", { MULTI_AGENT_CONTAINER_NAME: "no-such-container" }, 503, "swarm_unavailable"],
    ["is not on the allow list", { ALLOWED_CONTAINERS: "another" }, 403, "container_not_allowed"],
  ])("H1 T8 says so when the container %s", async (_, env, status, code) => {
    const answer = await (await asker(env))();
    expect(answer.status).toBe(status);
    expect(Refusal.parse(answer.body)).toMatchObject({ code });
  });

  it("H1 T8 says so when Docker's socket is gone, and not where it should be", async () => {
    const ask = await asker({ DOCKER_SOCKET: "/tmp/hivegate-no-such.sock" });
    const { status, body } = await ask();
    expect(status).toBe(503);
    expect(Refusal.parse(body)).toMatchObject({ code: "swarm_unavailable", retryable: true });
    expect(JSON.stringify(body)).not.toContain("/tmp");
  });

  it("H1 H9 runs the same request when the container, which did not run, runs again", async () => {
    const ask = await asker({});
    await docker.getContainer(container).stop({ t: 1 });
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(Refusal.parse(refused.body).message).toMatch(/not running.*may be sent again/);
    await docker.getContainer(container).start();
    // What runs in it needs a moment more: a task that is started before that is one that failed.
    await vi.waitFor(() => run("docker", ["exec", container, DEMO_CLI, "hive-mind", "sessions"]), {
      timeout: 10_000,
      interval: 100,
    });
    // That it is back is found out within two seconds.
    const answer = await vi.waitFor(
      async () => {
        const answer = await ask();
        expect(answer.status).toBe(201);
        return answer;
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(CreateTaskResult.parse(answer.body)).toMatchObject({ created: true, task: { state: "running" } });
    expect((await ask()).status).toBe(200);
  });
});
