import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { type ContainerFigures, TelemetryLine } from "../../../shared/protocol/sidecar.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { LineSplitter } from "../../../shared/wire/lines.ts";
import { type CollectorNews, TelemetryHub, type TelemetryRequest } from "../../../sidecar/telemetry/hub.ts";
import { anAgent, aServer, aTask } from "../../support/agents.ts";
import { recordingLog } from "../../support/recording-log.ts";

beforeEach(() => void vi.useFakeTimers({ now: 5_000 }));
afterEach(() => void vi.useRealTimers());

/** A pool of one server that the test speaks for. */
function fakeSource(pool = "demo") {
  const known = { server: pool, pool };
  let state = aServer({ ...known, status: "unavailable", agents: 0 });
  const fake = {
    pool,
    intervals: [] as (number | null)[],
    tell: null as ((news: CollectorNews) => void) | null,
    servers: () => [{ ...state, stale_since: fake.tell ? state.stale_since : fake.freshAtMs }],
    freshAtMs: null as number | null,
    watch(intervalMs: number | null, tell: (news: CollectorNews) => void) {
      fake.intervals.push(intervalMs);
      fake.tell = intervalMs === null ? null : tell;
    },
    agents(...agents: Agent[]) {
      fake.freshAtMs = Date.now();
      state = aServer({ ...known, agents: agents.length });
      fake.tell?.({ report: { agents, swarms: [] }, servers: fake.servers() });
    },
    fails(staleSince: number) {
      state = { ...state, status: "unavailable", stale_since: staleSince };
      fake.tell?.({ report: null, servers: fake.servers() });
    },
  };
  return fake;
}

function hubWith(tasks: Task[] = []) {
  const source = fakeSource();
  const containers: ((figures: ContainerFigures | null) => void)[] = [];
  const hub = new TelemetryHub({
    sources: [source],
    watchContainer: (tell) => {
      containers.push(tell);
      return () => void containers.splice(0);
    },
    tasks,
    epoch: "e1",
    log: recordingLog().log,
    now: () => Date.now(),
  });
  let readers = 0;
  const open = (request: Partial<TelemetryRequest> = {}) =>
    hub.open({ reader: `${readers++}`, intervalMs: 100, position: null, ...request });
  return { hub, source, open, containers };
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
    const { hub, source, open } = hubWith([aTask()]);
    const reader = readerOf(open());
    expect(await reader.next()).toMatchObject({
      ...{ type: "snapshot", epoch: "e1", offset: 0, timestamp: 5_000, agents: [], tasks: [aTask()] },
      servers: [{ server: "demo", status: "unavailable", agents: 0, stale_since: null }],
    });
    source.agents(anAgent());
    expect(await reader.next()).toEqual({
      ...{ type: "change", epoch: "e1", from: 0, offset: 1, timestamp: 5_000 },
      change: { agents: [anAgent()], servers: [aServer()] },
    });
    hub.taskChanged(aTask({ state: "completed" }));
    expect(await reader.next()).toMatchObject({
      from: 1,
      offset: 2,
      change: { tasks: [aTask({ state: "completed" })] },
    });
  });

  it("H9 S1 the servers are asked as often as the most demanding reader wants, and not at all for nobody", async () => {
    const { hub, source, open } = hubWith();
    expect(source.intervals).toEqual([]);
    const readers = [16, 1_000, null].map((intervalMs) => readerOf(open({ intervalMs })));
    hub.demand("1", 50);
    await readers[0]?.cancel();
    hub.demand("1", null);
    expect(source.intervals).toEqual([16, 50, null]);
    hub.demand("2", 10_000);
    for (const reader of readers) await reader.cancel();
    expect(source.intervals).toEqual([16, 50, null, 10_000, null]);
    expect(vi.getTimerCount()).toBe(0);
    expect(() => hub.demand("1", 5)).toThrow(expect.objectContaining({ code: "not_found" }));
  });

  it("S5 Q2 a reader that comes again goes on from where it was, and takes its own place", async () => {
    const { hub, source, open } = hubWith();
    const first = readerOf(open({ reader: "gateway" }));
    source.agents(anAgent());
    source.agents(anAgent({ status: "done" }));
    const second = readerOf(open({ reader: "gateway", position: { epoch: "e1", offset: 1 } }));
    expect(await second.next()).toMatchObject({
      ...{ type: "change", from: 1, offset: 2 },
      change: { agents: [{ agent_id: "agent-1", status: "done" }] },
    });
    for (let i = 0; i < 3; i++) await first.next();
    expect(await first.next()).toBeNull();
    expect(hub.readers).toBe(1);
    const third = readerOf(open({ position: { epoch: "e1", offset: 2 } }));
    expect(await third.next()).toMatchObject({ type: "alive" });
    const lost = readerOf(open({ position: { epoch: "e0", offset: 2 } }));
    expect(await lost.next()).toMatchObject({ type: "snapshot", offset: 2 });
  });

  it("S6 Q2 a reader's new stream takes the place of its earlier one, and hears nothing that was said of that", async () => {
    const { hub, source, open } = hubWith();
    const first = readerOf(open({ reader: "gateway.1", intervalMs: 100 }));
    open({ reader: "gateway.2", intervalMs: 16 });
    await first.next();
    expect([await first.next(), hub.readers]).toEqual([null, 1]);
    expect(() => hub.demand("gateway.1", null)).toThrow(expect.objectContaining({ code: "not_found" }));
    hub.demand("gateway.2", 50);
    expect(source.intervals).toEqual([100, 16, 50]);
  });

  it("S2 P6 the container is watched while somebody wants news", async () => {
    const { hub, open, containers } = hubWith();
    const reader = readerOf(open({ reader: "r" }));
    await reader.next();
    containers[0]?.({
      ...{ container: "c", cpu_usage: 1, memory_bytes: 2, memory_limit_bytes: null },
      ...{ network_received_bytes: null, network_sent_bytes: null, processes: 3, timestamp: 4 },
    });
    expect(await reader.next()).toMatchObject({ change: { container: { container: "c" } } });
    hub.demand("r", null);
    expect(containers).toEqual([]);
  });

  it("S5 all readers get the very same bytes, encoded once", async () => {
    const { source, open } = hubWith();
    const readers = [open().getReader(), open().getReader()];
    for (const reader of readers) await reader.read();
    source.agents(anAgent());
    const [first, second] = await Promise.all(readers.map((reader) => reader.read()));
    expect(first?.value).toBeInstanceOf(Uint8Array);
    expect(second?.value).toBe(first?.value);
  });

  it("S4 who comes after a time without readers sees how old the picture is, then that it is fresh", async () => {
    const { source, open } = hubWith();
    const first = readerOf(open());
    source.agents(anAgent());
    await first.cancel();
    vi.setSystemTime(60_000);
    const second = readerOf(open());
    expect(await second.next()).toMatchObject({
      agents: [anAgent()],
      servers: [{ status: "available", stale_since: 5_000 }],
    });
    vi.setSystemTime(61_000);
    source.agents(anAgent());
    expect(await second.next()).toMatchObject({ change: { servers: [{ stale_since: null }] } });
  });

  it("S4 a failing server is told of, its agents stay", async () => {
    const { source, open } = hubWith();
    const reader = readerOf(open());
    source.agents(anAgent());
    source.fails(5_000);
    await reader.next();
    await reader.next();
    const line = await reader.next();
    expect(line).toMatchObject({ change: { servers: [{ status: "unavailable", stale_since: 5_000 }] } });
    expect(line).not.toHaveProperty("change.removed");
  });

  it("H9 tasks that change while nobody reads move the offset, so no reader thinks it missed nothing", async () => {
    const { hub, open } = hubWith([aTask()]);
    hub.taskChanged(aTask());
    expect(await readerOf(open()).next()).toMatchObject({ offset: 1, tasks: [aTask()] });
  });

  it("S7 silence is broken by a sign of life, and only silence", async () => {
    const { source, open } = hubWith();
    const reader = readerOf(open());
    await reader.next();
    await vi.advanceTimersByTimeAsync(LIMITS.telemetryKeepAliveMs - 1);
    source.agents(anAgent());
    expect(await reader.next()).toMatchObject({ type: "change" });
    const next = reader.next();
    await vi.advanceTimersByTimeAsync(LIMITS.telemetryKeepAliveMs);
    expect(await next).toEqual({ type: "alive", timestamp: 5_000 + 2 * LIMITS.telemetryKeepAliveMs - 1 });
  });

  it("S6 a reader that does not read is cut off, the others go on", async () => {
    const { hub, source, open } = hubWith();
    const idle = open().getReader();
    const busy = readerOf(open());
    await busy.next();
    const heavy = (n: number) => anAgent({ current_task: `${n}${"x".repeat(1024 * 1024)}` });
    for (let n = 0; n < 6; n++) {
      source.agents(heavy(n));
      expect(await busy.next()).toMatchObject({ type: "change", offset: n + 1 });
    }
    expect(hub.readers).toBe(1);
    await expect(idle.read()).rejects.toMatchObject({ code: "slow_consumer" });
  });

  it("S6 Q2 what comes of a reader's end is told to the others after what it did not read", async () => {
    const { source, open, containers } = hubWith();
    open();
    const other = readerOf(open({ intervalMs: null }));
    containers[0]?.({
      ...{ container: "c", cpu_usage: 1, memory_bytes: 2, memory_limit_bytes: null },
      ...{ network_received_bytes: null, network_sent_bytes: null, processes: 3, timestamp: 4 },
    });
    expect(await other.next()).toMatchObject({ type: "snapshot", offset: 0 });
    expect(await other.next()).toMatchObject({ offset: 1, change: { container: { container: "c" } } });
    let offset = 1;
    while (source.tell) {
      source.agents(anAgent({ current_task: `${offset}${"x".repeat(1024 * 1024)}` }));
      const line = await other.next();
      expect(line).toMatchObject({ from: offset, offset: ++offset, change: { agents: [{}] } });
    }
    // Nobody asks any more: the container's figures are gone, then the servers' news are old.
    expect(await other.next()).toMatchObject({ from: offset, change: { container: null } });
    expect(await other.next()).toMatchObject({ from: offset + 1, change: { servers: [{}] } });
  });

  it("S6 when the last reader is cut off, nothing goes on for nobody", async () => {
    const { hub, source, open } = hubWith();
    open();
    for (let n = 0; source.tell && n < 10; n++) {
      source.agents(anAgent({ current_task: `${n}${"x".repeat(1024 * 1024)}` }));
    }
    expect(hub.readers).toBe(0);
    expect(source.tell).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S6 readers above the limit are refused, and have room when one leaves", async () => {
    const { open } = hubWith();
    const readers = Array.from({ length: LIMITS.telemetryReaders }, () => readerOf(open()));
    expect(() => open()).toThrow(expect.objectContaining({ code: "overloaded" }));
    await readers[0]?.cancel();
    expect(() => open()).not.toThrow();
  });

  it("C1 S3 a pool that comes is asked at once if anybody wants news, and one that goes takes its agents along", async () => {
    const { hub, source, open } = hubWith();
    const other = fakeSource("other");
    const reader = readerOf(open({ reader: "r" }));
    source.agents(anAgent());
    hub.sourcesChanged([source, other]);
    expect([source.intervals, other.intervals]).toEqual([[100], [100]]);
    other.agents(anAgent({ agent_id: "agent-2", server: "other" }));
    hub.sourcesChanged([other]);
    expect([source.intervals, other.intervals]).toEqual([[100, null], [100]]);
    for (let n = 0; n < 2; n++) await reader.next();
    expect(await reader.next()).toMatchObject({
      change: { servers: [{ server: "demo" }, { server: "other" }] },
    });
    expect(await reader.next()).toMatchObject({ change: { agents: [{ agent_id: "agent-2" }] } });
    expect(await reader.next()).toMatchObject({
      change: { removed: ["agent-1"], servers: [{ server: "other" }] },
    });
    hub.demand("r", 50);
    expect([source.intervals, other.intervals]).toEqual([
      [100, null],
      [100, 50],
    ]);
    await reader.cancel();
    hub.sourcesChanged([fakeSource("third")]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("C1 a pool that comes while nobody wants news is not asked, and is there for whoever comes next", async () => {
    const { hub, source, open } = hubWith();
    const other = fakeSource("other");
    hub.sourcesChanged([other]);
    expect([source.intervals, other.intervals]).toEqual([[null], []]);
    const reader = readerOf(open());
    expect(await reader.next()).toMatchObject({ offset: 1, servers: [{ server: "other" }] });
    expect(other.intervals).toEqual([100]);
  });

  it("C1 S3 an agent of a pool that goes stays where another one tells of it too, and leaves others its room", async () => {
    const { hub, source, open } = hubWith();
    const other = fakeSource("other");
    hub.sourcesChanged([source, other]);
    const reader = readerOf(open());
    source.agents(anAgent());
    other.agents(anAgent({ server: "other" }));
    hub.sourcesChanged([other]);
    expect(await reader.next()).toMatchObject({ type: "snapshot", offset: 1 });
    expect(await reader.next()).toMatchObject({ change: { agents: [{ server: "demo" }] } });
    expect(await reader.next()).toMatchObject({ change: { servers: [{}, { status: "available" }] } });
    expect(await reader.next()).toMatchObject({ change: { removed: ["agent-1"] } });
    expect(await reader.next()).toMatchObject({
      change: { agents: [{ agent_id: "agent-1", server: "other" }] },
    });
  });

  it("Q3 closing ends the streams after what was said, and stops asking", async () => {
    const { hub, source, open } = hubWith();
    const reader = readerOf(open());
    source.agents(anAgent());
    hub.close();
    expect(await reader.next()).toMatchObject({ type: "snapshot" });
    expect(await reader.next()).toMatchObject({ type: "change" });
    expect(await reader.next()).toBeNull();
    expect(source.tell).toBeNull();
    expect(() => open()).toThrow(expect.objectContaining({ code: "shutting_down" }));
    expect(vi.getTimerCount()).toBe(0);
  });
});
