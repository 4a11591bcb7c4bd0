/** A sidecar in a process of its own whose swarm does what a benchmark asks for. */
import { z } from "zod";
import { Agent } from "../../../shared/swarm/agent.ts";
import { Child } from "./child.ts";
import type { Run } from "./scripted-source.ts";
import type { SwarmShape } from "./swarm.ts";

const Counts = z.object({
  /** Telemetry streams that were opened, and demands that were told. */
  streams: z.number(),
  demands: z.number(),
  sentBytes: z.number(),
  ticks: z.number(),
  intervalMs: z.number().nullable(),
});

export class ScriptedSidecar {
  readonly url: string;
  readonly #child: Child;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** `key` is what the gateway signs with, in base64. */
  static async start(key: string, shape: SwarmShape): Promise<ScriptedSidecar> {
    const child = new Child(new URL("./sidecar-process.ts", import.meta.url));
    return new ScriptedSidecar(child, await child.ask("start", { key, shape }, z.number()));
  }

  get pid(): number {
    return this.#child.pid;
  }

  run(run: Run): Promise<void> {
    return this.#child.ask("run", run, z.undefined());
  }

  pause(): Promise<void> {
    return this.#child.ask("pause", {}, z.undefined());
  }

  agents(): Promise<Agent[]> {
    return this.#child.ask("agents", {}, z.array(Agent));
  }

  counts(): Promise<z.infer<typeof Counts>> {
    return this.#child.ask("counts", {}, Counts);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
