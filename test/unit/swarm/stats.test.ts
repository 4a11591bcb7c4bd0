import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ContainerFigures } from "../../../shared/protocol/sidecar.ts";
import { watchStream } from "../../../sidecar/swarm/docker/stats.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const cpu = (used: number, system: number) => ({
  cpu_usage: { total_usage: used },
  system_cpu_usage: system,
  online_cpus: 1,
});
/** A line that tells of a CPU used to this percentage. */
const line = (percent: number) =>
  `${JSON.stringify({ read: "2026-11-21T15:00:00Z", cpu_stats: cpu(percent, 200), precpu_stats: cpu(0, 100) })}\n`;

/** Docker's end of the streams: what it sends is up to the test. */
class FakeStream implements AsyncIterable<string> {
  readonly signal: AbortSignal;
  readonly #chunks: (string | null)[] = [];
  #wake = () => {};

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener("abort", () => this.#wake());
  }

  send(chunk: string | null): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      this.signal.throwIfAborted();
      const chunk = this.#chunks.shift();
      if (chunk === null) return;
      if (chunk !== undefined) yield chunk;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function watched() {
  const docker = { streams: [] as FakeStream[], isDown: false, tries: 0 };
  const clock = new ManualClock();
  const told: (ContainerFigures | null)[] = [];
  const { log, lines } = recordingLog();
  const open = async (signal: AbortSignal) => {
    docker.tries++;
    if (docker.isDown) throw new Error("connect ENOENT");
    const stream = new FakeStream(signal);
    docker.streams.push(stream);
    return stream;
  };
  const watch = watchStream(open, { container: "swarm", clock, random: () => 0, log });
  const stop = watch((figures) => void told.push(figures));
  onTestFinished(stop);
  const send = async (...chunks: (string | null)[]) => {
    for (const chunk of chunks) docker.streams.at(-1)?.send(chunk);
    await turn();
  };
  const passes = async (ms: number) => {
    clock.advance(ms);
    await turn();
  };
  const usage = () => told.map((figures) => (figures ? Math.round(figures.cpu_usage ?? -1) : null));
  return { docker, clock, told, lines, stop, send, passes, usage };
}

describe("watching what a container uses", () => {
  it("S5 tells what is new, however the lines are cut", async () => {
    const { send, usage } = watched();
    await turn();
    await send(line(5).slice(0, 40), line(5).slice(40) + line(50), line(50.5), line(5));
    expect(usage()).toEqual([5, 50, 5]);
  });

  it("S4 a stream that ends is opened again, sooner when it was of use than when it never is", async () => {
    const { docker, send, passes, usage } = watched();
    await turn();
    await send(line(5), null);
    expect(usage()).toEqual([5, null]);
    await passes(250);
    expect(docker.streams).toHaveLength(2);
    await send(line(5));
    expect(usage()).toEqual([5, null, 5]);

    docker.isDown = true;
    docker.tries = 0;
    await send(null);
    for (let n = 0; n < 600; n++) await passes(100);
    expect(docker.tries).toBeGreaterThan(5);
    expect(docker.tries).toBeLessThan(15);
    expect(usage()).toEqual([5, null, 5, null]);
  });

  it("S4 a stream that is silent is given up, and one that makes no sense too", async () => {
    const { docker, send, passes, usage } = watched();
    await turn();
    await send(line(5));
    await passes(9_999);
    expect(usage()).toEqual([5]);
    await passes(1);
    expect(docker.streams[0]?.signal.aborted).toBe(true);
    expect(usage()).toEqual([5, null]);
    await passes(250);
    await send(line(7), "nonsense\n");
    expect(usage()).toEqual([5, null, 7, null]);
    await passes(250);
    await send("x".repeat(300_000));
    await passes(500);
    expect(docker.streams).toHaveLength(4);
  });

  it("H9 stopping ends the stream, and nothing is told or tried any more", async () => {
    const { docker, clock, stop, send, passes, told } = watched();
    await turn();
    await send(line(5));
    stop();
    await turn();
    expect(docker.streams[0]?.signal.aborted).toBe(true);
    expect(clock.waiting).toBe(0);
    await passes(60_000);
    expect(told).toHaveLength(1);
    expect(docker.tries).toBe(1);
  });

  it("S6 what goes on failing is one line in the log, not one a try", async () => {
    const { docker, lines, passes } = watched();
    docker.isDown = true;
    await turn();
    docker.streams[0]?.send(null);
    for (let n = 0; n < 100; n++) await passes(1_000);
    expect(lines.filter((one) => one.includes('"level":30'))).toHaveLength(1);
  });
});
