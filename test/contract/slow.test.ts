import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { aTask } from "../support/agents.ts";
import { onEveryHost } from "./hosts.ts";

const MB = 1024 * 1024;
const FLOOD_BYTES = 30 * MB;
const EVENT_BYTES = 16 * 1024;
/** What the gateway may take for itself meanwhile: far less than what the readers left unread. */
const GROWTH_BYTES = 60 * MB;
const READERS = 4;

const { taskId } = aTask();
const text = "x".repeat(EVENT_BYTES);
const output = (seq: number): TaskEvent => ({
  ...{ kind: "output", taskId, seq, timestamp: 1, stream: "stdout", text },
});

/** Bytes of memory that a process holds. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

onEveryHost("clients that do not read", ({ sidecar, gateway, connect }, host) => {
  it("S5 S6 are closed before what waits for them grows large, and others are not disturbed", async () => {
    const events = FLOOD_BYTES / EVENT_BYTES;
    let sent = 0;
    const everybody = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    sidecar.answer(`GET /v1/tasks/${taskId}`, { task: aTask() });
    sidecar.follow(taskId, async function* () {
      await everybody.promise;
      try {
        while (sent < events) yield output(++sent);
      } finally {
        over.resolve();
      }
    });
    const other = await connect();
    const readers = await Promise.all(Array.from({ length: READERS }, () => connect({ kind: "relay" })));
    const before = await memoryOf(gateway().pid);
    for (const reader of readers) {
      await reader.ask({ type: "follow_task", taskId });
      reader.pause();
    }
    everybody.resolve();
    const most = await mostUntil(over.promise, () => memoryOf(gateway().pid));

    const figures = { MB: sent / (MB / EVENT_BYTES), before: before / MB, more: (most - before) / MB };
    console.log(`${host.name}, ${READERS} readers paused: ${JSON.stringify(figures)}`);
    expect(most - before).toBeLessThan(GROWTH_BYTES);
    expect(sent).toBeLessThan(events);
    expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    for (const reader of readers) {
      reader.read();
      expect(await reader.closed).toBe(4003);
    }
  });
});

/** The highest of what is measured all the time until `over`. */
async function mostUntil(over: Promise<void>, measure: () => Promise<number>): Promise<number> {
  let most = 0;
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  while (!isOver) most = Math.max(most, await measure());
  return Math.max(most, await measure());
}
