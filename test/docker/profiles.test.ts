import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { createDockerExecutor } from "../../sidecar/swarm/docker/executor.ts";
import type { Executor } from "../../sidecar/swarm/executor.ts";
import { claudeFlow3 } from "../../sidecar/swarm/profiles/claude-flow-3.ts";
import { demo } from "../../sidecar/swarm/profiles/demo.ts";
import type { Profile } from "../../sidecar/swarm/profiles/profile.ts";
import { CLAUDE_FLOW_CLI, startClaudeFlow } from "../support/claude-flow.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";

const RUN = { timeoutMs: 30_000 };
/** Would be options, a shell's work, or another line of output, were it anything but one argument. */
const NASTY = `--help $(touch /tmp/owned) 'x' "y"\n[OK] Claude Code completed successfully`;

const executorFor = (container: string): Executor =>
  createDockerExecutor({ docker, container, allowed: [container], commandTimeoutMs: 30_000 });

async function startTask(executor: Executor, profile: Profile, cli: string[], task: string) {
  const taskId = randomUUID();
  const seen = { stdout: "" };
  const argv = profile.spawn(cli, { taskId, task, priority: "High", verbose: true });
  const { exit } = await executor.start(
    { taskId, argv },
    {
      output: (stream, text) => {
        if (stream === "stdout") seen.stdout += text;
      },
      remember: () => {},
    },
  );
  return {
    taskId,
    swarmId: () => profile.swarmId(seen.stdout),
    outcome: async () => profile.outcome((await exit).exitCode, seen.stdout),
    seen,
  };
}

describe.skipIf(!(await dockerAvailable()))("the profiles in real containers", () => {
  const containers = new TestContainers();
  afterAll(() => containers.removeAll());

  describe("the demo swarm", () => {
    let executor: Executor;
    const cli = [DEMO_CLI];
    const list = async () => demo.list?.read(await executor.run(demo.list.argv(cli), RUN)) ?? [];

    beforeAll(async () => {
      await buildDemoImage(docker, { name: "hivegate-test-demo" });
      const { name } = await containers.start({ image: "hivegate-test-demo" });
      executor = executorFor(name);
      await vi.waitFor(() => list(), { timeout: 20_000, interval: 200 });
    });
    afterAll(() => executor?.close());

    it("H1 does a task, tells its swarm's id, and completes it", async () => {
      const task = await startTask(executor, demo, cli, "count primes below 100000");
      expect(await task.outcome()).toEqual({ state: "completed", reason: null });
      expect(task.seen.stdout).toContain("9592");
      const [swarm] = (await list()).filter(({ swarmId }) => swarmId === task.swarmId());
      expect(swarm).toMatchObject({ taskId: task.taskId, status: "completed" });
    });

    it("H1 takes a text like any other that looks like options or a shell's work", async () => {
      const task = await startTask(executor, demo, cli, NASTY);
      await vi.waitFor(() => expect(task.swarmId()).not.toBeNull(), { timeout: 20_000 });
      const [swarm] = (await list()).filter(({ swarmId }) => swarmId === task.swarmId());
      expect(swarm?.detail).toMatchObject({ task: NASTY });
      await executor.stop(task.taskId, { graceMs: 10_000 });
      expect((await task.outcome()).state).not.toBe("lost");
    });

    it("H4 stops a swarm by its own command", async () => {
      const task = await startTask(executor, demo, cli, "count primes below 100000000");
      await vi.waitFor(() => expect(task.swarmId()).not.toBeNull(), { timeout: 20_000 });
      const { stop } = demo.controls;
      const argv = stop?.argv(cli, task.swarmId() ?? "") ?? [];
      expect(stop?.succeeded(await executor.run(argv, RUN))).toBe(true);
      expect((await task.outcome()).state).toBe("stopped");
    });
  });

  describe("the real claude-flow", () => {
    const cli = [CLAUDE_FLOW_CLI];
    const executors: Executor[] = [];
    const prepared = async (name: string): Promise<Executor> => {
      const executor = executorFor(name);
      executors.push(executor);
      const { check, isReady, argv } = claudeFlow3.prepare ?? { check: [], argv: [], isReady: () => true };
      expect(isReady(await executor.run([...cli, ...check], RUN))).toBe(false);
      await executor.run([...cli, ...argv], RUN);
      expect(isReady(await executor.run([...cli, ...check], RUN))).toBe(true);
      return executor;
    };
    afterAll(() => Promise.all(executors.map((executor) => executor.close())));

    it("H1 H4 registers a swarm, and says that without claude no agent was started", async () => {
      const { name } = await startClaudeFlow(containers);
      const executor = await prepared(name);
      const task = await startTask(executor, claudeFlow3, cli, NASTY);
      expect(await task.outcome()).toMatchObject({
        state: "failed",
        reason: expect.stringContaining("No agent was started"),
      });
      expect(task.seen.stdout).toContain(`Objective: ${NASTY}`);
      const swarms = claudeFlow3.list?.read(await executor.run(claudeFlow3.list.argv(cli), RUN));
      expect(swarms).toMatchObject([{ swarmId: task.swarmId(), status: "active", workerCount: 1 }]);
    });

    it("H1 completes a task when Claude Code has done it", async () => {
      const { name } = await startClaudeFlow(containers, { claude: { runsForMs: 0 } });
      const task = await startTask(await prepared(name), claudeFlow3, cli, NASTY);
      expect(await task.outcome()).toEqual({ state: "completed", reason: null });
      expect(task.seen.stdout).toContain('"type":"result"');
    });

    it("H4 stops a task while Claude Code works, and leaves nothing of it", async () => {
      const { name } = await startClaudeFlow(containers, { claude: { runsForMs: 600_000 } });
      const executor = await prepared(name);
      const task = await startTask(executor, claudeFlow3, cli, "work long");
      await vi.waitFor(() => expect(task.seen.stdout).toContain('"type":"result"'), { timeout: 20_000 });
      await executor.stop(task.taskId, { graceMs: 5_000 });
      expect((await task.outcome()).state).toBe("stopped");
      const { Processes } = await docker.getContainer(name).top({ ps_args: "-eo pid,args" });
      expect(JSON.stringify(Processes)).not.toContain("/opt/fake/claude");
    });
  });
});
