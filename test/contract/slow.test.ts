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
  it("S5 S6 hold up their own stream and nobody else, go on when they read, and cost hardly any memory", async () => {
    const events = FLOOD_BYTES / EVENT_BYTES;
    let sent = 0;
    const everybody = Promise.withResolvers<void>();
    sidecar.answer(`GET /v1/tasks/${taskId}`, { task: aTask() });
    sidecar.follow(taskId, async function* () {
      await everybody.promise;
      while (sent < events) yield output(++sent);
    });
    const other = await connect();
    const readers = await Promise.all(
      Array.from({ length: READERS }, () => connect({ kind: "relay", query: { acks: "1" } })),
    );
    const before = await memoryOf(gateway().pid);
    for (const reader of readers) {
      await reader.ask({ type: "follow_task", taskId });
      reader.pause();
    }
    everybody.resolve();
    const most = await mostUntilStill(
      () => sent,
      () => memoryOf(gateway().pid),
    );

    const figures = { MB: sent / (MB / EVENT_BYTES), before: before / MB, more: (most - before) / MB };
    console.log(`${host.name}, ${READERS} readers paused: ${JSON.stringify(figures)}`);
    expect(most - before).toBeLessThan(GROWTH_BYTES);
    expect(sent).toBeLessThan(events);
    expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });

    // All but one have to come again; that one is sent what it was waited with.
    for (const reader of readers) reader.read();
    const isOver = (reader: (typeof readers)[number]) => reader.next("task_unfollowed");
    const ends = await Promise.all(readers.map(isOver));
    expect(ends.map(({ reason }) => reason)).toContain("lost");
    expect(sent).toBe(events);
    for (const reader of readers) expect(await reader.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });
});

/** How long something has to stay as it is to be still. */
const STILL_MS = 1_500;

/** The highest of what is measured all the time until `moving` stays as it is. */
async function mostUntilStill(moving: () => number, measure: () => Promise<number>): Promise<number> {
  let most = 0;
  let [value, sinceMs] = [moving(), Date.now()];
  while (value === 0 || Date.now() - sinceMs < STILL_MS) {
    most = Math.max(most, await measure());
    if (moving() !== value) [value, sinceMs] = [moving(), Date.now()];
  }
  return most;
}
