/**
 * P5: how long until a task's own process has started in its container. Floor: the same command by a bare
 * `docker exec` through the API. Ours: from the client's frame, through gateway and sidecar. Both clocks are
 * this host's: the process tells the moment at which it began.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { PassThrough } from "node:stream";
import { makeImage } from "../../sidecar/container/import-image.ts";
import { ROOTFS_CHANGES, stageRootfs, stageScript } from "../../sidecar/container/rootfs.ts";
import { startContainer } from "../../sidecar/container/start-container.ts";
import { docker } from "../support/docker.ts";
import { newSecret, startGateway } from "../support/gateway.ts";
import { startSidecar } from "../support/sidecar.ts";
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type Bench, goal, median, quantile } from "./report.ts";

const CLI = "/usr/local/bin/stamp";
const IMAGE = "hivegate-bench-stamp";
/** A swarm's CLI that only says when its process began. */
const STAMP = `#!/usr/local/bin/node
const startedAtMs = performance.timeOrigin;
console.log(JSON.stringify({ event: "spawned", swarmId: "bench", startedAtMs }));
console.log(JSON.stringify({ event: "completed", swarmId: "bench" }));
`;
const ARGV = [CLI, "hive-mind", "spawn", "--format", "json", "--priority", "Medium", "--", "bench"];
const STARTED = /"startedAtMs":([\d.]+)/;

export const task: Bench = async ({ quick }) => {
  const rounds = quick ? 5 : 9;
  const perRound = quick ? 10 : 20;
  const system = await setUp();
  try {
    const floors: number[] = [];
    const ours: number[] = [];
    await round(system, 5);
    for (let i = 0; i < rounds; i++) {
      const { floor, hivegate } = await round(system, perRound);
      floors.push(floor);
      ours.push(hivegate);
      console.log(
        `round ${i + 1}: docker exec ${floor.toFixed(1)} ms, create_task ${hivegate.toFixed(1)} ms`,
      );
    }
    const ratio = median(ours.map((value, i) => value / (floors[i] ?? Number.NaN)));
    return {
      rounds,
      goals: { P5: goal(ratio, 1.15, "at most") },
      raw: {
        floorMs: floors,
        hivegateMs: ours,
        medianFloorMs: median(floors),
        medianHivegateMs: median(ours),
        worstRatio: quantile(
          ours.map((value, i) => value / (floors[i] ?? Number.NaN)),
          1,
        ),
      },
    };
  } finally {
    await system.stop();
  }
};

/** One of each in turn, so that both meet the same machine. Answers with medians in milliseconds. */
async function round(system: BenchSystem, times: number): Promise<{ floor: number; hivegate: number }> {
  const floor: number[] = [];
  const hivegate: number[] = [];
  const relay = await system.connect();
  for (let i = 0; i < times; i++) {
    floor.push(await bareExecMs(system.container));
    hivegate.push(await createTaskMs(relay));
  }
  relay.close();
  return { floor: median(floor), hivegate: median(hivegate) };
}

async function bareExecMs(container: string): Promise<number> {
  const sentAtMs = nowMs();
  const exec = await docker.getContainer(container).exec({
    Cmd: ARGV,
    AttachStdout: true,
    AttachStderr: true,
    Env: [`HIVEGATE_TASK_ID=${randomUUID()}`],
  });
  const stream: Duplex = await exec.start({ hijack: true, stdin: false });
  let text = "";
  const stdout = new PassThrough();
  stdout.on("data", (chunk) => {
    text += chunk;
  });
  docker.modem.demuxStream(stream, stdout, new PassThrough());
  await new Promise((resolve) => stream.once("end", resolve));
  return startedAt(text) - sentAtMs;
}

async function createTaskMs(relay: SocketClient): Promise<number> {
  const sentAtMs = nowMs();
  relay.send({ type: "create_task", task: "bench", follow: true });
  const { event } = await relay.next(
    "task_event",
    ({ event }) => event.kind === "output" && STARTED.test(event.text),
  );
  await relay.next("task_unfollowed");
  return startedAt(event.kind === "output" ? event.text : "") - sentAtMs;
}

function startedAt(text: string): number {
  const [, ms] = STARTED.exec(text) ?? [];
  if (ms === undefined) throw new Error(`the command did not say when it started: ${text}`);
  return Number(ms);
}

const nowMs = (): number => performance.timeOrigin + performance.now();

/** `connect`: as a client of its own each time, for one may start so many tasks at once only. */
type BenchSystem = { container: string; connect(): Promise<SocketClient>; stop(): Promise<void> };

async function setUp(): Promise<BenchSystem> {
  await makeImage(docker, {
    name: IMAGE,
    content: `${process.version} ${STAMP}`,
    changes: [...ROOTFS_CHANGES, 'CMD ["node", "-e", "setInterval(() => {}, 1e9)"]'],
    stage: async (dir) => {
      await stageRootfs(dir);
      await stageScript(dir, CLI, STAMP);
    },
  });
  const name = `hivegate-bench-${randomUUID()}`;
  const container = await startContainer(docker, { name, image: IMAGE, ports: [] });
  const dir = await mkdtemp(join(tmpdir(), "hivegate-bench-"));
  const keys = { bench: newSecret() };
  const sidecar = await startSidecar({
    env: {
      SIDECAR_KEYS: JSON.stringify(keys),
      SIDECAR_STATE_DIR: dir,
      SWARM_PROFILE: "demo",
      SWARM_EXECUTOR: "docker",
      MULTI_AGENT_CONTAINER_NAME: name,
      CLAUDE_FLOW_PATH: CLI,
      ENABLE_MCP_TELEMETRY: "false",
      LOG_LEVEL: "warn",
    },
  });
  const gateway = await startGateway({ sidecarUrl: sidecar.url, keys });
  return {
    container: name,
    connect: async () => connectSocket(gateway.url, "/v1/hives/default/relay", await gateway.token()),
    stop: async () => {
      await gateway.stop();
      await sidecar.stop();
      await container.remove();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
