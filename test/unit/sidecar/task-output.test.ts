import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { TaskEvent } from "../../../shared/swarm/task.ts";
import { LineSplitter, readLines } from "../../../shared/wire/lines.ts";
import { EventParser } from "../../../shared/wire/sse.ts";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import { type EventsReader, TaskOutput } from "../../../sidecar/swarm/task-output.ts";
import { aTask, scratchDirectory, TASK_ID, taskId } from "./fakes.ts";

function start(keepAliveMs?: number) {
  const ledger = new Ledger(scratchDirectory());
  onTestFinished(() => ledger.close());
  ledger.begin(aTask(), { method: "process", state: "spawning" }, 0);
  const output = new TaskOutput({ ledger, ...(keepAliveMs !== undefined && { keepAliveMs }) });
  const write = (text: string) => {
    ledger.addOutput(TASK_ID, "stdout", `${text}\n`, 0);
    output.changed(TASK_ID, "output");
  };
  const end = () => {
    ledger.change(TASK_ID, { state: "completed", endedAt: 1 }, 1);
    output.changed(TASK_ID, "state");
  };
  return { ledger, output, write, end };
}

async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<TaskEvent> {
  const parser = new EventParser();
  for await (const line of readLines(stream, new LineSplitter(1_000_000, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (!event) continue;
    const parsed = TaskEvent.parse(JSON.parse(event.data));
    expect(event).toMatchObject({ id: String(parsed.seq), event: parsed.kind });
    yield parsed;
  }
}

async function seqs(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of eventsOf(stream)) seen.push(event.seq);
  return seen;
}

const reads = (after: number, rest: Partial<EventsReader> = {}): EventsReader => ({
  ...{ client: "c", after, only: null },
  ...rest,
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("a task's event stream", () => {
  it("H9 tells the history, in pages, and ends with the task", async () => {
    const { output, write, end } = start();
    for (let n = 0; n < 300; n++) write(`line ${n}`);
    end();
    expect(await seqs(output.open(TASK_ID, reads(0)))).toEqual(range(1, 302));
  });

  it("H9 goes on after the last event seen", async () => {
    const { output, write, end } = start();
    for (let n = 0; n < 10; n++) write(`line ${n}`);
    end();
    expect(await seqs(output.open(TASK_ID, reads(7)))).toEqual(range(8, 12));
    expect(await seqs(output.open(TASK_ID, reads(12)))).toEqual([]);
  });

  it("S1 loses and doubles nothing where history meets what is live", async () => {
    const { output, write, end } = start();
    const readers = range(1, 5).map((n) => seqs(output.open(TASK_ID, reads(n % 2))));
    for (let n = 0; n < 200; n++) {
      write(`line ${n}`);
      if (n % 7 === 0) await Promise.resolve();
      if (n % 31 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    end();
    expect(await Promise.all(readers)).toEqual(range(1, 5).map((n) => range(1 + (n % 2), 202)));
  });

  it("S6 reads nothing ahead for a reader that does not read", async () => {
    const { ledger, output, write } = start();
    let pages = 0;
    const { events } = ledger;
    ledger.events = (...asked) => {
      pages++;
      return events.apply(ledger, asked);
    };
    const reader = output.open(TASK_ID, reads(0)).getReader();
    for (let n = 0; n < 1_000; n++) write(`line ${n}`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(pages).toBe(0);
    await reader.read();
    expect(pages).toBe(1);
    await reader.cancel();
  });

  it("says that it is alive while nothing happens", async () => {
    const { output } = start(1);
    const reader = output.open(TASK_ID, reads(1)).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(": keep-alive\n\n");
    await reader.cancel();
  });

  it("H1 tells of changes of state alone, and is not woken by output", async () => {
    const { ledger, output, write, end } = start();
    const { events } = ledger;
    let looks = 0;
    ledger.events = (...asked) => {
      looks++;
      return events.apply(ledger, asked);
    };
    const reading = seqs(output.open(TASK_ID, reads(0, { only: "state" })));
    await vi.waitFor(() => expect(looks).toBe(2));
    for (let n = 0; n < 100; n++) write(`line ${n}`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(looks).toBe(2);
    end();
    expect(await reading).toEqual([1, 102]);
  });

  it("S6 has a limit of streams for each client and for all, and forgets those who leave", async () => {
    const { output } = start();
    const openAs = (client: string) => output.open(TASK_ID, reads(1, { client }));
    const overloaded = expect.objectContaining({ code: "overloaded" });
    const streams = range(1, LIMITS.taskStreamsPerClient).map(() => openAs("greedy"));
    expect(() => openAs("greedy")).toThrow(overloaded);
    // One leaves while it waits, one before it has read anything.
    const waiting = streams[0]?.getReader();
    const read = waiting?.read();
    await waiting?.cancel();
    expect(await read).toMatchObject({ done: true });
    await streams[1]?.cancel();
    openAs("greedy");
    openAs("greedy");
    expect(() => openAs("greedy")).toThrow(overloaded);
    const others = LIMITS.taskStreams - LIMITS.taskStreamsPerClient;
    for (const n of range(1, others)) openAs(`client ${n}`);
    expect(() => openAs("one more")).toThrow(overloaded);
  });

  it("S6 leaves room for other requests beside all streams", () => {
    expect(LIMITS.taskStreams + LIMITS.telemetryReaders + LIMITS.relayLinks).toBeLessThan(
      LIMITS.sidecarConnections - 200,
    );
  });

  it("ends when the sidecar stops, so that readers come back", async () => {
    const { output, write } = start();
    write("one");
    const reading = seqs(output.open(TASK_ID, reads(0)));
    await new Promise((resolve) => setImmediate(resolve));
    output.close();
    expect(await reading).toEqual([1, 2]);
    expect(() => output.open(TASK_ID, reads(0))).toThrow(expect.objectContaining({ code: "shutting_down" }));
  });

  it("knows no task that was never created", () => {
    const { output } = start();
    expect(() => output.open(taskId(9), reads(0))).toThrow(expect.objectContaining({ code: "unknown_task" }));
  });
});
