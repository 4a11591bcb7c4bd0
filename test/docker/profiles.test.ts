import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { contentHash, makeImage } from "../../sidecar/container/import-image.ts";
import { ROOTFS_CHANGES, stageFile, stageRootfs, stageScript } from "../../sidecar/container/rootfs.ts";
import { createDockerExecutor } from "../../sidecar/swarm/docker/executor.ts";
import type { Executor } from "../../sidecar/swarm/executor.ts";
import { claudeFlow2 } from "../../sidecar/swarm/profiles/claude-flow-2.ts";
import { claudeFlow3 } from "../../sidecar/swarm/profiles/claude-flow-3.ts";
import { customProfile } from "../../sidecar/swarm/profiles/custom.ts";
import { readCustomProfile } from "../../sidecar/swarm/profiles/custom-file.ts";
import { demo } from "../../sidecar/swarm/profiles/demo.ts";
import { sessionScript } from "../../sidecar/swarm/profiles/session-script.ts";
import { CLAUDE_FLOW_CLI, startClaudeFlow } from "../support/claude-flow.ts";
import { docker, dockerAvailable, processesOf, TestContainers } from "../support/docker.ts";
import { listedBy, startProfileTask } from "../support/profile-task.ts";

const RUN = { timeoutMs: 30_000 };
/** Would be options, a shell's work, or another line of output, were it anything but one argument. */
const NASTY = `--help $(touch /tmp/owned) 'x' "y"\n[OK] Claude Code completed successfully`;

const executorFor = (container: string): Executor =>
  createDockerExecutor({ docker, container, allowed: [container], commandTimeoutMs: 30_000 });

/** A file of `docs/profiles`. */
const described = (name: string) =>
  customProfile(readCustomProfile(join(import.meta.dirname, `../../docs/profiles/${name}.json`)));

describe.skipIf(!(await dockerAvailable()))("the profiles in real containers", () => {
  const containers = new TestContainers();
  afterAll(() => containers.removeAll());

  describe.each([
    ["the demo swarm", demo],
    ["the demo swarm as a file describes it", described("demo")],
  ])("%s", (_, profile) => {
    let executor: Executor;
    const cli = [DEMO_CLI];
    const list = () => listedBy({ executor, profile, cli });
    const start = (task: string) => startProfileTask({ executor, profile, cli }, task);

    beforeAll(async () => {
      await buildDemoImage(docker, { name: "hivegate-test-demo" });
      const { name } = await containers.start({ image: "hivegate-test-demo" });
      executor = executorFor(name);
      await vi.waitFor(() => list(), { timeout: 20_000, interval: 200 });
    });
    afterAll(() => executor?.close());

    it("H1 does a task, tells its swarm's id, and completes it", async () => {
      const task = await start("count primes below 100000");
      expect(await task.outcome()).toEqual({ state: "completed", reason: null });
      expect(task.seen.stdout).toContain("9592");
      const [swarm] = (await list()).filter(({ swarmId }) => swarmId === task.swarmId());
      expect(swarm).toMatchObject({ taskId: task.taskId, status: "completed" });
    });

    it("H1 takes a text like any other that looks like options or a shell's work", async () => {
      const task = await start(NASTY);
      await vi.waitFor(() => expect(task.swarmId()).not.toBeNull(), { timeout: 20_000 });
      const [swarm] = (await list()).filter(({ swarmId }) => swarmId === task.swarmId());
      expect(swarm?.detail).toMatchObject({ task: NASTY });
      await executor.stop(task.taskId, { graceMs: 10_000 });
      expect((await task.outcome()).state).not.toBe("lost");
    });

    it("H4 stops a swarm by its own command", async () => {
      const task = await start("count primes below 100000000");
      await vi.waitFor(() => expect(task.swarmId()).not.toBeNull(), { timeout: 20_000 });
      const { stop } = profile.controls;
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
      const task = await startProfileTask({ executor, profile: claudeFlow3, cli }, NASTY);
      expect(await task.outcome()).toMatchObject({
        state: "failed",
        reason: expect.stringContaining("No agent was started"),
      });
      expect(task.seen.stdout).toContain(`Objective: ${NASTY}`);
      const swarms = await listedBy({ executor, profile: claudeFlow3, cli });
      expect(swarms).toMatchObject([{ swarmId: task.swarmId(), status: "active", workerCount: 1 }]);
    });

    it("H1 completes a task when Claude Code has done it", async () => {
      const { name } = await startClaudeFlow(containers, { claude: { runsForMs: 0 } });
      const task = await startProfileTask(
        { executor: await prepared(name), profile: claudeFlow3, cli },
        NASTY,
      );
      expect(await task.outcome()).toEqual({ state: "completed", reason: null });
      expect(task.seen.stdout).toContain('"type":"result"');
    });

    it("H4 stops a task while Claude Code works, and leaves nothing of it", async () => {
      const { name } = await startClaudeFlow(containers, { claude: { runsForMs: 600_000 } });
      const executor = await prepared(name);
      const task = await startProfileTask({ executor, profile: claudeFlow3, cli }, "work long");
      await vi.waitFor(() => expect(task.seen.stdout).toContain('"type":"result"'), { timeout: 20_000 });
      await executor.stop(task.taskId, { graceMs: 5_000 });
      expect((await task.outcome()).state).toBe("stopped");
      const { Processes } = await docker.getContainer(name).top({ ps_args: "-eo pid,args" });
      expect(JSON.stringify(Processes)).not.toContain("/opt/fake/claude");
    });

    it.each(["stop", "pause", "resume"])(
      "H4 prints help for %s and exits 0, which is no success",
      async (word) => {
        const { name } = await startClaudeFlow(containers);
        const executor = await prepared(name);
        const { exitCode, stdout } = await executor.run([...cli, "hive-mind", word], RUN);
        expect({ exitCode, stdout }).toEqual({
          exitCode: 0,
          stdout: expect.stringContaining("Usage: claude-flow"),
        });
      },
    );
  });

  describe.each([
    ["claude-flow@2", claudeFlow2],
    ["the session script", sessionScript],
  ])("a stand-in for %s", (_, profile) => {
    const cli = ["node", `/opt/support/stand-ins/${profile.name.replace("@", "-")}.js`];
    let executor: Executor;

    const started = async (claude: string) => {
      const { name } = await containers.start({
        image: await standInImage(),
        cmd: ["node", "-e", "setInterval(() => {}, 1e9)"],
        env: [`STAND_IN_CLAUDE=${claude}`],
      });
      executor = executorFor(name);
      return { name, task: await startProfileTask({ executor, profile, cli }, "--help me") };
    };
    const leftOf = async (name: string) =>
      (await processesOf(name)).filter((args) => args.includes("stand-ins"));
    afterEach(() => executor?.close());

    it("H1 H4 is run to its end, which it does not come to by itself", async () => {
      const { name, task } = await started("completes");
      expect(await task.outcome()).toEqual({ state: "completed", reason: null });
      expect(task.swarmId()).not.toBeNull();
      expect(await leftOf(name)).toEqual([]);
    });

    it("H4 is stopped with all that it started", async () => {
      const { name, task } = await started("works");
      await vi.waitFor(() => expect(task.seen.stdout).toContain('"type":"result"'), { timeout: 20_000 });
      await executor.stop(task.taskId, { graceMs: 5_000 });
      expect((await task.outcome()).state).toBe("stopped");
      expect(await leftOf(name)).toEqual([]);
      const [swarm] = await listedBy({ executor, profile, cli });
      expect(swarm?.status ?? "stopped").toBe("stopped");
    });
  });
});

/** Node with the stand-ins, which print what is in the captures beside them. */
async function standInImage(): Promise<string> {
  const name = "hivegate-test-stand-ins";
  const support = join(import.meta.dirname, "../support");
  const parts = ["stand-ins", "captures"];
  const content = await contentHash(
    [process.version, ...ROOTFS_CHANGES],
    parts.map((part) => join(support, part)),
  );
  await makeImage(docker, {
    name,
    content,
    changes: ROOTFS_CHANGES,
    stage: async (dir) => {
      await stageRootfs(dir);
      for (const part of parts) await stageFile(dir, join(support, part), `/opt/support/${part}`);
      await stageScript(dir, "/opt/support/package.json", '{"type":"module"}');
    },
  });
  return name;
}
