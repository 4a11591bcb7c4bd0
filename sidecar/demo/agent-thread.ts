import { Worker } from "node:worker_threads";
import { z } from "zod";
import { DEMO_LIMITS } from "./limits.ts";
import type { UnitValue } from "./work.ts";

/** The units that one agent does: `first`, `first + step`, and so on. */
export const Share = z.object({
  task: z.string(),
  first: z.number().int().nonnegative(),
  step: z.number().int().positive(),
});
export type Share = z.infer<typeof Share>;

/** What a thread is given: its share, and a flag that both threads see. */
export const Order = Share.extend({ held: z.instanceof(Int32Array) });

const UnitDone = z.object({ unit: z.number().int(), value: z.union([z.number(), z.string()]) });

export type AgentEvents = {
  online(): void;
  unitDone(unit: number, value: UnitValue): void;
  /** The last event: the thread is gone, for whatever reason. */
  ended(): void;
};

export interface AgentThread {
  /** CPU time used since its start and heap in use now; null when that cannot be known (any more). */
  measure(): Promise<{ cpuMicros: number; heapBytes: number } | null>;
  /** Lets it do no further unit until it is let go: the one that is begun it ends. */
  hold(isHeld: boolean): void;
  stop(): Promise<void>;
}

export type StartAgent = (share: Share, events: AgentEvents) => AgentThread;

export const startAgentThread: StartAgent = (share, events) => {
  const held = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(new URL("./agent-worker.ts", import.meta.url), {
    workerData: { ...share, held },
    resourceLimits: { maxOldGenerationSizeMb: DEMO_LIMITS.agentHeapMegabytes },
  });
  worker.on("online", () => events.online());
  worker.on("message", (message) => {
    const { unit, value } = UnitDone.parse(message);
    events.unitDone(unit, value);
  });
  worker.on("error", (error) => console.error(error));
  worker.on("exit", () => events.ended());

  return {
    measure: async () => {
      try {
        const [cpu, heap] = await Promise.all([worker.cpuUsage(), worker.getHeapStatistics()]);
        return { cpuMicros: cpu.user + cpu.system, heapBytes: heap.used_heap_size + heap.external_memory };
      } catch {
        // The thread has ended since.
        return null;
      }
    },
    hold: (isHeld) => {
      Atomics.store(held, 0, isHeld ? 1 : 0);
      Atomics.notify(held, 0);
    },
    stop: async () => {
      await worker.terminate();
    },
  };
};
