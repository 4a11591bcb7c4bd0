import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import Dockerode from "dockerode";
import { afterEach, describe, expect, it } from "vitest";
import { createDockerExecutor } from "../../../sidecar/swarm/docker/executor.ts";

const HIJACKED = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const frame = (type: number, text: string) =>
  Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

/** A Docker that misbehaves as a test wants; `states` are the answers to each question after an exec. */
type Misbehaviour = { start(socket: Duplex): void; states: (object | "broken")[] };

const undo: (() => unknown)[] = [];

async function executorOn({ start, states }: Misbehaviour) {
  const socketPath = join(tmpdir(), `hivegate-test-${randomUUID()}.sock`);
  const left = [...states];
  const server = createServer((request, response) => {
    const state = request.url?.startsWith("/exec/")
      ? left.length > 1
        ? left.shift()
        : left[0]
      : { Id: "e1" };
    if (state === "broken") return request.socket.destroy();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(state));
  });
  server.on("upgrade", (_, socket) => start(socket));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const executor = createDockerExecutor({
    docker: new Dockerode({ socketPath }),
    container: "c",
    allowed: ["c"],
    commandTimeoutMs: 300,
  });
  undo.push(
    () => executor.close(),
    () => server.close(),
    () => server.closeAllConnections(),
    () => rmSync(socketPath, { force: true }),
  );
  return executor;
}

async function startTask(misbehaviour: Misbehaviour) {
  const executor = await executorOn(misbehaviour);
  const text = { stdout: "", stderr: "" };
  const { exit } = await executor.start(
    { taskId: randomUUID(), argv: ["work"] },
    {
      output: (stream, piece) => {
        text[stream] += piece;
      },
      remember: () => {},
    },
  );
  return { exit: await exit, text };
}

describe("the docker executor, with a Docker that fails", () => {
  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
  });

  const RUNNING = { Running: true, ExitCode: null };
  const ENDED = { Running: false, ExitCode: 4 };

  it("H9 takes a task for started when its start may have arrived, and waits for its end", async () => {
    const brokenOff = { start: (socket: Duplex) => socket.destroy(), states: [RUNNING, ENDED] };
    const silent = { start: () => {}, states: [RUNNING, ENDED] };
    for (const misbehaviour of [brokenOff, silent]) {
      const { exit, text } = await startTask(misbehaviour);
      expect(exit).toEqual({ exitCode: 4 });
      expect(text.stderr).toMatch(/output is lost/);
    }
  });

  it("H1 says so when the stream makes no sense, and still sees the task's end", async () => {
    const start = (socket: Duplex) => {
      socket.write(Buffer.concat([Buffer.from(HIJACKED), frame(1, "good"), frame(9, "bad")]));
    };
    const { exit, text } = await startTask({ start, states: [RUNNING, ENDED] });
    expect(exit).toEqual({ exitCode: 4 });
    expect(text.stdout).toBe("good");
    expect(text.stderr).toMatch(/malformed.*rest of the output is lost/);
  });

  it("H9 asks on while Docker does not answer", async () => {
    const start = (socket: Duplex) => {
      socket.end(Buffer.concat([Buffer.from(HIJACKED), frame(1, "all")]));
    };
    const { exit, text } = await startTask({ start, states: ["broken", "broken", RUNNING, "broken", ENDED] });
    expect(exit).toEqual({ exitCode: 4 });
    expect(text.stdout).toBe("all");
  });

  it("H7 does not wait long for a Docker that hangs", async () => {
    const socketPath = join(tmpdir(), `hivegate-test-${randomUUID()}.sock`);
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const docker = new Dockerode({ socketPath });
    const executor = createDockerExecutor({ docker, container: "c", allowed: ["c"], commandTimeoutMs: 200 });
    undo.push(
      () => executor.close(),
      () => server.close(),
      () => server.closeAllConnections(),
    );
    const reason = "Docker did not answer in time. Check its daemon.";
    expect(await executor.health()).toEqual({ running: false, details: { reason } });
    const error = { code: "swarm_unavailable", message: reason };
    await expect(executor.run(["true"], { timeoutMs: 5_000 })).rejects.toMatchObject(error);
  });
});
