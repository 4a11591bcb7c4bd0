/**
 * The last steps of a create, between the sidecar and Docker: at each the sidecar is killed, the connection to Docker
 * breaks, or Docker hangs. What is said of the task afterwards is what the swarm counted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Task } from "../../shared/swarm/task.ts";
import { docker, dockerAvailable, nodeImage, processesOf } from "../support/docker.ts";
import { type DockerSystem, startDockerSystem } from "../support/docker-system.ts";
import { type SteppedContainer, startSteppedContainer } from "../support/stepped-container.ts";
import { type Point, type SteppedWay, startWay } from "../support/stepped-way.ts";

const WITHIN_MS = 60_000;
const START: Point = { of: "request", at: "start" };
const ANSWER: Point = { of: "answer", at: "start" };

describe.skipIf(!(await dockerAvailable()))("a create between the sidecar and Docker", () => {
  const dir = mkdtempSync(join(tmpdir(), "hivegate-faults-"));
  const socketPath = join(dir, "docker.sock");
  let swarm: SteppedContainer;
  let toDocker: SteppedWay;
  let system: DockerSystem;
  let count = 0;

  beforeAll(async () => {
    swarm = await startSteppedContainer(docker, { image: await nodeImage() });
    toDocker = await startWay("/var/run/docker.sock", { socketPath });
    system = await startDockerSystem({
      ...swarm.env,
      DOCKER_SOCKET: socketPath,
      DOCKER_COMMAND_TIMEOUT_MS: "3000",
    });
  });
  afterAll(async () => {
    await system?.stop();
    await toDocker?.close();
    await swarm?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The task as it ends. */
  async function endOf(taskId: string): Promise<Task> {
    for await (const event of system.client.events(taskId)) void event;
    return system.client.task(taskId);
  }

  /** Creates a task until it is taken: while Docker's circuit is open, the answer is that nothing was run. */
  const createAtLast = (task: string) =>
    vi.waitFor(() => system.client.createTask({ task, idempotencyKey: task }), {
      timeout: WITHIN_MS,
      interval: 250,
    });

  const creating = () => `POST /containers/${swarm.name}/exec`;
  const starting = () => "POST /exec/";
  const faults = {
    "the sidecar is killed": async () => {
      await system.killAndRestartSidecar();
    },
    "the connection breaks": async () => toDocker.cut(),
    "Docker hangs": async () => {},
  };
  type Fault = keyof typeof faults;

  /** How the task ends, and how often it was run. One of which nothing was run may be asked for again. */
  const cases: { when: string; at: () => string; point: Point; fault: Fault; ends: [string, number] }[] = [
    ...steps("before Docker has its exec", creating, START, {
      "the sidecar is killed": ["completed", 1],
      "the connection breaks": ["completed", 1],
      "Docker hangs": ["completed", 1],
    }),
    ...steps("before its exec is remembered", creating, ANSWER, {
      "the sidecar is killed": ["completed", 1],
      "the connection breaks": ["completed", 1],
      "Docker hangs": ["completed", 1],
    }),
    ...steps("remembered, before it is started", starting, START, {
      "the sidecar is killed": ["completed", 1],
      "the connection breaks": ["lost", 0],
      "Docker hangs": ["lost", 0],
    }),
    ...steps("when it runs, before the sidecar knows", starting, ANSWER, {
      "the sidecar is killed": ["lost", 1],
      "the connection breaks": ["lost", 1],
      "Docker hangs": ["lost", 1],
    }),
  ];
  function steps(when: string, at: () => string, point: Point, ends: Record<Fault, [string, number]>) {
    return (Object.keys(faults) as Fault[]).map((fault) => ({ when, at, point, fault, ends: ends[fault] }));
  }

  it.each(cases)("H9 Q2 $when, $fault: $ends runs", async ({ at, point, fault, ends }) => {
    await createAtLast(`warm up ${++count}`).then(({ task }) => endOf(task.taskId));
    const text = `task ${count}`;
    const stopped = toDocker.stopAt(at(), point);
    const first = system.client
      .createTask({ task: text, idempotencyKey: text })
      .catch((error: unknown) => error);
    await stopped;
    await faults[fault]();
    await first;
    const { task } = await createAtLast(text);
    const { state } = await endOf(task.taskId);
    expect([state, swarm.swarm.runs(text)]).toEqual(ends);
    expect((await processesOf(swarm.name)).filter((args) => args.includes("swarm.sh"))).toEqual([]);
  });

  it("H9 leaves the sidecar no socket to Docker", async () => {
    await vi.waitFor(() => expect(toDocker.connections()).toBe(0), { timeout: WITHIN_MS });
  });
});
