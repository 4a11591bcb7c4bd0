/** Gateway, sidecar and a stepped swarm in a container, all real, and what tests of Docker's faults do with them. */
import type Dockerode from "dockerode";
import { expect, vi } from "vitest";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { nodeImage, processesOf } from "./docker.ts";
import { type DockerSystem, startDockerSystem } from "./docker-system.ts";
import { type SteppedContainer, startSteppedContainer } from "./stepped-container.ts";

const WITHIN_MS = 60_000;

export class SteppedSystem {
  readonly docker: Dockerode;
  readonly stepped: SteppedContainer;
  readonly system: DockerSystem;

  constructor(docker: Dockerode, stepped: SteppedContainer, system: DockerSystem) {
    this.docker = docker;
    this.stepped = stepped;
    this.system = system;
  }

  /** A task that has named its swarm and works on until `release`. */
  async working(text: string): Promise<{ taskId: string; release(): void }> {
    const { reached, release } = this.stepped.swarm.hold("working");
    const { task } = await this.system.client.createTask({ task: text });
    await reached();
    return { taskId: task.taskId, release };
  }

  /** The task as it ended, and all that was told of it. */
  async endOf(taskId: string): Promise<{ task: Task; events: TaskEvent[] }> {
    const events: TaskEvent[] = [];
    for await (const event of this.system.client.events(taskId)) events.push(event);
    return { task: await this.system.client.task(taskId), events };
  }

  /** It was killed with its container; whether Docker still tells so depends on who is faster. */
  async expectEndWithContainer(taskId: string): Promise<void> {
    const { state, exitCode } = (await this.endOf(taskId)).task;
    expect([state, exitCode]).toEqual(exitCode === null ? ["lost", null] : ["failed", 137]);
  }

  runs(text: string): number {
    return this.stepped.swarm.runs(text);
  }

  async circuitIs(state: "open" | "closed"): Promise<void> {
    const circuit = async () =>
      (await this.system.client.health()).components.docker_hive_mind.circuit?.state;
    await vi.waitFor(async () => expect(await circuit()).toBe(state), { timeout: WITHIN_MS, interval: 100 });
  }

  /** Docker's circuit is closed by itself, a task runs to its end at the first try, and no process is left. */
  async expectWell(text: string): Promise<void> {
    await this.circuitIs("closed");
    const { task } = await this.system.client.createTask({ task: text });
    expect((await this.endOf(task.taskId)).task.state).toBe("completed");
    expect(this.runs(text)).toBe(1);
    await this.expectNothingRuns();
  }

  async expectNothingRuns(): Promise<void> {
    const running = async () =>
      (await processesOf(this.stepped.name, this.docker)).filter((args) => args.includes("swarm.sh"));
    await vi.waitFor(async () => expect(await running()).toEqual([]), { timeout: WITHIN_MS, interval: 100 });
  }

  async stop(): Promise<void> {
    await this.system.stop();
    await this.stepped.remove();
  }
}

export async function startSteppedSystem(
  docker: Dockerode,
  env: Record<string, string> = {},
): Promise<SteppedSystem> {
  const stepped = await startSteppedContainer(docker, { image: await nodeImage(docker) });
  try {
    return new SteppedSystem(docker, stepped, await startDockerSystem({ ...stepped.env, ...env }));
  } catch (thrown) {
    await stepped.remove();
    throw thrown;
  }
}
