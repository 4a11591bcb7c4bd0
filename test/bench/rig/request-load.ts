/** Requests at a steady rate, or so many at a time, that are told how they went: in a process of its own. */
import { z } from "zod";
import { Child } from "./child.ts";

export const LoadRequest = z.object({
  /** What figures are kept by. */
  name: z.string(),
  url: z.string(),
  method: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string().nullable(),
  /** What an answer has to hold; one that does not has failed. */
  expects: z.string(),
});
export type LoadRequest = z.infer<typeof LoadRequest>;

/** Taken in turn. `perSecond` null: each of `atATime` lanes sends the next one when it has its answer. */
export const Load = z.object({
  requests: z.array(LoadRequest).min(1),
  atATime: z.number(),
  perSecond: z.number().nullable(),
});
export type Load = z.infer<typeof Load>;

const Figures = z.object({ requests: z.number(), p50Ms: z.number(), p99Ms: z.number(), mostMs: z.number() });
const LoadReport = z.object({
  ...Figures.shape,
  elapsedMs: z.number(),
  failures: z.number(),
  /** The first few, in words. */
  failed: z.array(z.string()),
  byName: z.record(z.string(), Figures),
});
export type LoadReport = z.infer<typeof LoadReport>;

export class RequestLoad {
  readonly #child = new Child(new URL("./request-load-process.ts", import.meta.url));

  begin(load: Load): Promise<void> {
    return this.#child.ask("begin", load, z.undefined());
  }

  /** What has come of it: those under way are waited for. */
  end(): Promise<LoadReport> {
    return this.#child.ask("end", {}, LoadReport);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
