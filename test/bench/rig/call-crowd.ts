/** Who calls tools over Streamable HTTP in the benchmark, in a process of its own. */
import { z } from "zod";
import { Child } from "./child.ts";

export const Target = z.object({
  url: z.string(),
  token: z.string().nullable(),
  tool: z.string(),
  /** `2025` opens a session first; `plain` is no MCP, but a POST of the same size. */
  speaks: z.enum(["2025", "2026", "plain"]),
  /** What the answers' cache header has to begin with; null: nothing is asked of it. */
  cache: z.string().nullable(),
});
export type Target = z.infer<typeof Target>;

export const Run = z.object({
  target: Target,
  /** So many calls are under way at any time, each on a connection of its own. */
  atATime: z.number(),
  measureMs: z.number(),
  textBytes: z.number(),
  /** Every call has another text, or all have the same. */
  differ: z.boolean(),
});
export type Run = z.infer<typeof Run>;

const Called = z.object({ calls: z.number(), elapsedMs: z.number(), p50Ms: z.number(), p99Ms: z.number() });
export type Called = z.infer<typeof Called>;

export class CallCrowd {
  readonly #child = new Child(new URL("./call-crowd-process.ts", import.meta.url));

  get pid(): number {
    return this.#child.pid;
  }

  /** @throws when an answer is not what was asked for */
  run(run: Run): Promise<Called> {
    return this.#child.ask("run", run, Called);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
