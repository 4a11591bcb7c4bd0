import { Agent } from "node:http";
import Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { platformClock } from "../../shared/clock.ts";
import type { ContainerFigures } from "../../shared/protocol/sidecar.ts";
import { watchStats } from "../../sidecar/swarm/docker/stats.ts";
import { docker, dockerAvailable, nodeImage, TestContainers } from "../support/docker.ts";
import { recordingLog } from "../support/recording-log.ts";

/** Holds 64 MB, and uses one core, or as much of it as it gets. */
const BUSY = `
  const memory = Buffer.alloc(64 * 1024 * 1024, 1);
  for (;;) memory[0]++;
`;
const IDLE = "setInterval(() => {}, 1_000)";
const SOON = { timeout: 20_000, interval: 50 };

describe.skipIf(!(await dockerAvailable()))("what a real container uses", () => {
  const containers = new TestContainers();
  let image: string;

  beforeAll(async () => {
    image = await nodeImage();
  });
  afterAll(() => containers.removeAll());

  const start = (script = IDLE) => containers.start({ image, cmd: ["node", "-e", script] });

  /** What is told of the container, from now on. */
  function watch(container: string, allowed = [container]) {
    const { log, lines } = recordingLog();
    const told: (ContainerFigures | null)[] = [];
    const agent = new Agent();
    const connection = { agent, socketPath: "/var/run/docker.sock" };
    const stop = watchStats({
      docker: new Dockerode(connection),
      ...{ container, allowed, clock: platformClock, random: Math.random, log },
    })((figures) => void told.push(figures));
    onTestFinished(stop);
    return { told, stop, lines, connections: () => Object.values(agent.sockets).flat().length };
  }

  it("S2 is told within seconds, as it really is", async () => {
    const { name } = await start(BUSY);
    const { told } = watch(name);
    // The machine may be busy with other things, so that it gets little.
    const figures = await vi.waitUntil(() => told.find((one) => (one?.cpu_usage ?? 0) > 10), SOON);
    expect(figures?.container).toBe(name);
    expect(figures?.cpu_usage).toBeLessThan(120);
    expect(figures?.memory_bytes).toBeGreaterThan(64 * 1024 * 1024);
    expect(figures?.memory_bytes).toBeLessThan(256 * 1024 * 1024);
    expect(figures?.memory_limit_bytes).toBeGreaterThan(figures?.memory_bytes ?? 0);
    expect(figures?.network_received_bytes).toBeGreaterThanOrEqual(0);
    expect(figures?.processes).toBeGreaterThan(1);
    expect(Math.abs((figures?.timestamp ?? 0) - Date.now())).toBeLessThan(10_000);
  });

  it("S2 a container that does nothing uses next to nothing", async () => {
    const { name } = await start();
    const { told } = watch(name);
    await vi.waitUntil(() => (told.at(-1)?.cpu_usage ?? 100) < 5, SOON);
    expect(told.at(-1)?.memory_bytes).toBeLessThan(64 * 1024 * 1024);
  });

  it("S4 a container that stops has no figures, and has them again when it starts", async () => {
    const { name } = await start();
    const { told } = watch(name);
    await vi.waitUntil(() => told.length > 0, SOON);
    await docker.getContainer(name).stop({ t: 0 });
    await vi.waitUntil(() => told.at(-1) === null, SOON);
    await docker.getContainer(name).start();
    await vi.waitUntil(() => told.at(-1) !== null, SOON);
  });

  it("S4 a container that goes and comes under the same name is found again", async () => {
    const first = await start();
    const { told } = watch(first.name);
    await vi.waitUntil(() => told.length > 0, SOON);
    await first.remove();
    await vi.waitUntil(() => told.at(-1) === null, SOON);
    const cmd = ["node", "-e", IDLE];
    const second = await docker.createContainer({ name: first.name, Image: image, Cmd: cmd });
    onTestFinished(() => second.remove({ force: true }));
    await second.start();
    await vi.waitUntil(() => told.at(-1) !== null, SOON);
  });

  it("H9 nobody watching means that Docker is asked nothing more", async () => {
    const { name } = await start();
    const { told, stop, connections } = watch(name);
    await vi.waitUntil(() => told.length > 0, SOON);
    expect(connections()).toBe(1);
    stop();
    await vi.waitUntil(() => connections() === 0, SOON);
    const before = told.length;
    await docker.getContainer(name).stop({ t: 0 });
    expect(told).toHaveLength(before);
  });

  it("S8 a container that is not on the allow list is not looked at", async () => {
    const { name } = await start();
    const { told, lines, connections } = watch(name, ["another"]);
    expect(connections()).toBe(0);
    expect(told).toEqual([]);
    expect(lines).toHaveLength(1);
  });
});
