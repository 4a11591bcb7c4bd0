/** The clients of the relay's benchmark, in a process of their own. */
import { z } from "zod";
import { Child } from "./child.ts";

const Member = z.object({
  url: z.string(),
  /** Null: the server asks for none. */
  token: z.string().nullable(),
});
export type Member = z.infer<typeof Member>;
export const Connect = z.object({ group: z.string(), members: z.array(Member) });

const Load = z.object({
  /** So many clients of the group talk, and each has so many messages under way. */
  clients: z.number(),
  inFlight: z.number(),
  kind: z.enum(["rpc", "text", "binary"]),
  bytes: z.number(),
});
export type Load = z.infer<typeof Load>;
export const Run = Load.extend({ group: z.string(), measureMs: z.number() });

const Talked = z.object({
  /** Answered within `elapsedMs`, each after so long. */
  messages: z.number(),
  /** And with those that were still under way then. */
  answered: z.number(),
  elapsedMs: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});
export type Talked = z.infer<typeof Talked>;

export class RelayCrowd {
  readonly #child = new Child(new URL("./relay-crowd-process.ts", import.meta.url));

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when all are connected. */
  connect(group: string, members: readonly Member[]): Promise<void> {
    return this.#child.ask("connect", { group, members }, z.undefined());
  }

  /** Resolves when all that was asked is answered. @throws when an answer is wrong, missing or out of order */
  run(group: string, load: Load, measureMs: number): Promise<Talked> {
    return this.#child.ask("run", { group, measureMs, ...load }, Talked);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
