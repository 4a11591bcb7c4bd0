import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import Dockerode from "dockerode";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createDockerExecutor } from "../../../sidecar/swarm/docker/executor.ts";

const HIJACKED = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const frame = (type: number, text: string) =>
  Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);

/** What the fake answers when it is asked about an exec. */
type State = object | "broken" | "forgotten";

/**
 * A Docker that misbehaves as a test wants; `states` are the answers to each question after the task's exec.
 * Without `start` the task's exec, e1, is from an earlier life of the sidecar. `look` is what happens to every
 * later exec, by which the container is looked into; it ends well unless given.
 */
type Misbehaviour = { start?(socket: Duplex): void; states: State[]; look?(socket: Duplex): State };

const undo: (() => unknown)[] = [];

async function executorOn({ start, states, look = endsWell }: Misbehaviour) {
  const socketPath = join(tmpdir(), `hivegate-test-${randomUUID()}.sock`);
  const left = [...states];
  let execs = start ? 0 : 1;
  let lastLook: State = {};
  const server = createServer((request, response) => {
    const [, exec] = /^\/exec\/(e\d+)\//.exec(request.url ?? "") ?? [];
    const ofTask = left.length > 1 ? () => left.shift() : () => left[0];
    const state = exec === undefined ? { Id: `e${++execs}` } : exec === "e1" ? ofTask() : lastLook;
    if (state === "broken") return request.socket.destroy();
    const status = state === "forgotten" ? 404 : 200;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(state));
  });
  server.on("upgrade", (request, socket) => {
    if (request.url?.startsWith("/exec/e1/")) start?.(socket);
    else lastLook = look(socket);
  });
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

function endsWell(socket: Duplex): State {
  socket.end(HIJACKED);
  return { Running: false, ExitCode: 0 };
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
      const { exit } = await startTask(misbehaviour);
      expect(exit).toEqual({ exitCode: 4, lostOutput: true });
    }
  });

  it("H1 says so when the stream makes no sense, and still sees the task's end", async () => {
    const start = (socket: Duplex) => {
      socket.write(Buffer.concat([Buffer.from(HIJACKED), frame(1, "good"), frame(9, "bad")]));
    };
    const { exit, text } = await startTask({ start, states: [RUNNING, ENDED] });
    expect(exit).toEqual({ exitCode: 4, lostOutput: true });
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

  describe("that forgot the execs of a container that runs on", () => {
    const FORGOTTEN = {
      start: (socket: Duplex) => socket.destroy(),
      states: [RUNNING, "forgotten" as const],
    };

    /** A look into the container that finds the task's process, until it is told to end. */
    function processThatRuns() {
      const sockets: Duplex[] = [];
      const state: { Running: boolean; ExitCode: number | null } = { ...RUNNING };
      return {
        looks: sockets,
        look: (socket: Duplex): State => {
          sockets.push(socket);
          socket.write(HIJACKED);
          return state;
        },
        end: () => {
          Object.assign(state, { Running: false, ExitCode: 0 });
          for (const socket of sockets) socket.end();
        },
      };
    }
    const stillRuns = Symbol("still runs");

    it("H9 waits until the task's process is gone", async () => {
      const task = processThatRuns();
      const executor = await executorOn({ ...FORGOTTEN, look: task.look });
      const spec = { taskId: randomUUID(), argv: ["work"] };
      const { exit } = await executor.start(spec, { output: () => {}, remember: () => {} });
      await vi.waitFor(() => expect(task.looks).toHaveLength(1));
      expect(await Promise.race([exit, Promise.resolve(stillRuns)])).toBe(stillRuns);
      task.end();
      expect(await exit).toEqual({ exitCode: null, lostOutput: true });
    });

    it("H9 finds the task running after a restart of the sidecar, too", async () => {
      const task = processThatRuns();
      const executor = await executorOn({ states: ["forgotten"], look: task.look });
      const recovery = await executor.recover({ taskId: randomUUID(), handle: "e1" }, () => {});
      if (recovery.status !== "running") throw new Error(`it is ${recovery.status}`);
      await vi.waitFor(() => expect(task.looks).toHaveLength(1));
      task.end();
      expect(await recovery.exit).toEqual({ exitCode: null });
    });

    it("H9 looks again when its look is forgotten or broken off in its turn", async () => {
      let looked = 0;
      const look = (socket: Duplex): State => {
        looked++;
        if (looked === 1) socket.destroy();
        const state = endsWell(socket);
        return looked === 2 ? "forgotten" : state;
      };
      const { exit } = await startTask({ ...FORGOTTEN, look });
      expect(exit).toEqual({ exitCode: null, lostOutput: true });
      expect(looked).toBe(3);
    });
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
