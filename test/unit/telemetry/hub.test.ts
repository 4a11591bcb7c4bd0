import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { TelemetryLine } from "../../../shared/protocol/sidecar.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { LineSplitter } from "../../../shared/wire/lines.ts";
import type { CollectorNews } from "../../../sidecar/telemetry/collector.ts";
import { TelemetryHub } from "../../../sidecar/telemetry/hub.ts";
import { anAgent, aTask } from "../../support/agents.ts";
import { recordingLog } from "../../support/recording-log.ts";

beforeEach(() => void vi.useFakeTimers({ now: 5_000 }));
afterEach(() => void vi.useRealTimers());

/** A collector that the test speaks for. */
function fakeCollector() {
  const fake = {
    name: "demo",
    source: "demo",
    freshAtMs: null as number | null,
    starts: 0,
    tell: null as ((news: CollectorNews) => void) | null,
    start: (tell: (news: CollectorNews) => void) => {
      fake.starts++;
      fake.tell = tell;
    },
    stop: () => {
      fake.tell = null;
    },
    agents: (...agents: Agent[]) => {
      fake.freshAtMs = Date.now();
      fake.tell?.({ kind: "agents", report: { agents, leftOut: 0 }, nowMs: Date.now() });
    },
  };
  return fake;
}

function hubWith(tasks: Task[] = []) {
  const collector = fakeCollector();
  const hub = new TelemetryHub({
    collectors: [collector],
    recentTasks: () => tasks,
    epoch: "e1",
    log: recordingLog().log,
    now: () => Date.now(),
  });
  return { hub, collector };
}

/** Reads a stream line by line; each line is checked against the protocol. */
function readerOf(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const splitter = new LineSplitter(LIMITS.telemetryLineBytes);
  const lines: TelemetryLine[] = [];
  return {
    next: async (): Promise<TelemetryLine | null> => {
      for (let line = lines.shift(); ; line = lines.shift()) {
        if (line) return line;
        const { done, value } = await reader.read();
        if (done) return null;
        lines.push(...splitter.push(value).map((line) => TelemetryLine.parse(JSON.parse(line))));
      }
    },
    cancel: () => reader.cancel(),
  };
}

describe("the telemetry hub", () => {
  it("S5 a stream begins with a snapshot and goes on with changes that follow on it", async () => {
    const { hub, collector } = hubWith([aTask()]);
    const reader = readerOf(hub.open());
    expect(await reader.next()).toEqual({
      type: "snapshot",
      epoch: "e1",
      offset: 0,
      timestamp: 5_000,
      agents: [],
      servers: [
        { server: "demo", server_source: "demo", status: "unavailable", agents: 0, stale_since: null },
      ],
      tasks: [aTask()],
    });
    collector.agents(anAgent());
    expect(await reader.next()).toEqual({
      type: "change",
      from: 0,
      offset: 1,
      timestamp: 5_000,
      change: {
        agents: [anAgent()],
        servers: [
          { server: "demo", server_source: "demo", status: "available", agents: 1, stale_since: null },
        ],
      },
    });
    hub.taskChanged(aTask({ state: "completed" }));
    expect(await reader.next()).toMatchObject({
      from: 1,
      offset: 2,
      change: { tasks: [aTask({ state: "completed" })] },
    });
  });

  it("H9 the servers are asked from the first reader to the last, once for all of them", async () => {
    const { hub, collector } = hubWith();
    expect(collector.starts).toBe(0);
    const readers = [readerOf(hub.open()), readerOf(hub.open()), readerOf(hub.open())];
    expect(collector.starts).toBe(1);
    for (const reader of readers) await reader.cancel();
    expect(collector.tell).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
    hub.open();
    expect(collector.starts).toBe(2);
  });

  it("S5 all readers get the very same bytes, encoded once", async () => {
    const { hub, collector } = hubWith();
    const readers = [hub.open().getReader(), hub.open().getReader()];
    for (const reader of readers) await reader.read();
    collector.agents(anAgent());
    const [first, second] = await Promise.all(readers.map((reader) => reader.read()));
    expect(first?.value).toBeInstanceOf(Uint8Array);
    expect(second?.value).toBe(first?.value);
  });

  it("S4 who comes after a time without readers sees how old the picture is, then that it is fresh", async () => {
    const { hub, collector } = hubWith();
    const first = readerOf(hub.open());
    collector.agents(anAgent());
    await first.cancel();
    vi.setSystemTime(60_000);
    const second = readerOf(hub.open());
    expect(await second.next()).toMatchObject({
      agents: [anAgent()],
      servers: [{ status: "available", stale_since: 5_000 }],
    });
    collector.agents(anAgent());
    expect(await second.next()).toMatchObject({ change: { servers: [{ stale_since: null }] } });
  });

  it("S4 a failing server is told of, its agents stay", async () => {
    const { hub, collector } = hubWith();
    const reader = readerOf(hub.open());
    collector.agents(anAgent());
    collector.tell?.({ kind: "failure", staleSinceMs: 5_000, nowMs: 6_000 });
    await reader.next();
    await reader.next();
    const line = await reader.next();
    expect(line).toMatchObject({ change: { servers: [{ status: "unavailable", stale_since: 5_000 }] } });
    expect(line).not.toHaveProperty("change.removed");
  });

  it("H9 tasks that change while nobody reads move the offset, so no reader thinks it missed nothing", async () => {
    const { hub } = hubWith([aTask()]);
    hub.taskChanged(aTask());
    expect(await readerOf(hub.open()).next()).toMatchObject({ offset: 1, tasks: [aTask()] });
  });

  it("S7 silence is broken by a sign of life, and only silence", async () => {
    const { hub, collector } = hubWith();
    const reader = readerOf(hub.open());
    await reader.next();
    await vi.advanceTimersByTimeAsync(LIMITS.telemetryKeepAliveMs - 1);
    collector.agents(anAgent());
    expect(await reader.next()).toMatchObject({ type: "change" });
    const next = reader.next();
    await vi.advanceTimersByTimeAsync(LIMITS.telemetryKeepAliveMs);
    expect(await next).toEqual({ type: "alive", timestamp: 5_000 + 2 * LIMITS.telemetryKeepAliveMs - 1 });
  });

  it("S6 a reader that does not read is cut off, the others go on", async () => {
    const { hub, collector } = hubWith();
    const idle = hub.open().getReader();
    const busy = readerOf(hub.open());
    await busy.next();
    const heavy = (n: number) => anAgent({ current_task: `${n}${"x".repeat(1024 * 1024)}` });
    for (let n = 0; n < 6; n++) {
      collector.agents(heavy(n));
      expect(await busy.next()).toMatchObject({ type: "change", offset: n + 1 });
    }
    expect(hub.readers).toBe(1);
    await expect(idle.read()).rejects.toMatchObject({ code: "slow_consumer" });
  });

  it("S6 when the last reader is cut off, nothing goes on for nobody", async () => {
    const { hub, collector } = hubWith();
    hub.open();
    for (let n = 0; collector.tell && n < 10; n++) {
      collector.agents(anAgent({ current_task: `${n}${"x".repeat(1024 * 1024)}` }));
    }
    expect(hub.readers).toBe(0);
    expect(collector.tell).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S6 readers above the limit are refused, and have room when one leaves", async () => {
    const { hub } = hubWith();
    const readers = Array.from({ length: LIMITS.telemetryReaders }, () => readerOf(hub.open()));
    expect(() => hub.open()).toThrow(expect.objectContaining({ code: "overloaded" }));
    await readers[0]?.cancel();
    expect(() => hub.open()).not.toThrow();
  });

  it("Q3 closing ends the streams after what was said, and stops asking", async () => {
    const { hub, collector } = hubWith();
    const reader = readerOf(hub.open());
    collector.agents(anAgent());
    hub.close();
    expect(await reader.next()).toMatchObject({ type: "snapshot" });
    expect(await reader.next()).toMatchObject({ type: "change" });
    expect(await reader.next()).toBeNull();
    expect(collector.tell).toBeNull();
    expect(() => hub.open()).toThrow(expect.objectContaining({ code: "shutting_down" }));
    expect(vi.getTimerCount()).toBe(0);
  });
});
