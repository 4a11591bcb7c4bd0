/** The life of tasks with real processes: their turns, their limits, their lines. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import type { TaskEvent, TaskState } from "../../shared/swarm/task.ts";
import { markedProcesses } from "../../sidecar/swarm/process/marked.ts";
import { connectSocket } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

const LONG = "count primes below 100000000";

async function start(env: Record<string, string> = {}) {
  const system = await startSystem({ env });
  onTestFinished(() => system.stop());
  return { system, client: await clientOf(system) };
}

const clientOf = async ({ gateway }: System, subject = "e2e") =>
  new HivegateClient({ baseUrl: gateway.url, hive: "default", token: await gateway.token({ subject }) });

async function eventsOf(client: HivegateClient, taskId: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of client.events(taskId)) events.push(event);
  return events;
}

/** A swarm's CLI that does as this program says; gone after the test. */
async function cli(program: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "hivegate-cli-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "swarm");
  await writeFile(file, `#!${process.execPath}\n${program}\n`);
  await chmod(file, 0o755);
  return file;
}

describe("tasks that wait for their turn", () => {
  it("H1 H9 run by priority, over a -9 of the sidecar, and tell their creator of each change", async () => {
    const { system, client } = await start({ MAX_RUNNING_TASKS: "1" });
    const first = await client.createTask({ task: LONG });
    const socket = await connectSocket(
      system.gateway.url,
      "/v1/hives/default/stream",
      await system.gateway.token({ subject: "e2e" }),
    );
    const create = async (priority: string) => {
      socket.send({ type: "create_task", task: "count primes below 3000", priority });
      const answer = await socket.next("task_created");
      expect(answer).toMatchObject({ success: true, state: "queued" });
      return answer.taskId;
    };
    const [low, high] = [await create("low"), await create("high")];

    await system.sidecar.kill("SIGKILL");
    await system.restartSidecar();
    expect((await client.task(low)).state).toBe("queued");
    // The gateway lost the stream of changes with the sidecar, and said so.
    await socket.next("task_unfollowed", ({ taskId, reason }) => taskId === high && reason === "lost");
    socket.send({ type: "follow_task", taskId: high, output: false });
    await socket.next("task_followed");

    await client.stop(first.task.taskId);
    const states: TaskState[] = [];
    while (states.at(-1) !== "completed")
      states.push((await socket.next("task_update", ({ task }) => task.taskId === high)).task.state);
    expect(states.filter((state, i) => state !== states[i - 1])).toEqual([
      ...["queued", "spawning", "running", "completed"],
    ]);
    const ended = await eventsOf(client, low);
    expect(ended.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });
    const [lowTask, highTask] = [await client.task(low), await client.task(high)];
    expect(lowTask.spawningAt).toBeGreaterThanOrEqual(highTask.endedAt ?? Number.POSITIVE_INFINITY);
    socket.close();
  });
});

describe("a task's time limit", () => {
  it("S6 ends its process, also when the sidecar was killed in between", async () => {
    const forever = await cli("setInterval(() => {}, 1_000);");
    const { system, client } = await start({ CLAUDE_FLOW_PATH: forever });
    const { task } = await client.createTask({ task: "wait", timeoutMs: 4_000 });
    await vi.waitFor(() => expect(markedProcesses(`HIVEGATE_TASK_ID=${task.taskId}`)).not.toEqual([]));
    await system.sidecar.kill("SIGKILL");
    await system.restartSidecar();
    const last = (await eventsOf(client, task.taskId)).at(-1);
    expect(last).toMatchObject({ kind: "state", task: { state: "failed", error: { code: "timeout" } } });
    const { startedAt, endedAt } = await client.task(task.taskId);
    expect((endedAt ?? 0) - (startedAt ?? 0)).toBeGreaterThanOrEqual(4_000);
    expect(markedProcesses(`HIVEGATE_TASK_ID=${task.taskId}`)).toEqual([]);
  });
});

describe("a task's output", () => {
  it("H9 comes in lines, each stream's its own; an unfinished one is seen while its process waits", async () => {
    const program = `
      process.stderr.write("be");
      process.stdout.write("first line\\nName? ");
      process.stderr.write("ware\\n");
      setTimeout(() => process.stdout.write("nobody\\n"), 1_500);
    `;
    const { client } = await start({ CLAUDE_FLOW_PATH: await cli(program) });
    const { task } = await client.createTask({ task: "ask" });
    const stateWhen = new Map<string, TaskState>();
    const lines: Record<string, string[]> = { stdout: [], stderr: [] };
    for await (const event of client.events(task.taskId)) {
      if (event.kind !== "output") continue;
      lines[event.stream]?.push(`${event.text}${event.partial ? "…" : ""}`);
      if (event.partial) stateWhen.set(event.text, (await client.task(task.taskId)).state);
    }
    expect(lines).toEqual({ stdout: ["first line", "Name? …", "nobody"], stderr: ["beware"] });
    expect(stateWhen.get("Name? ")).toBe("running");
  });
});
