/**
 * A process of a benchmark's own, and what it can be asked. What loads the gateway must not share an event
 * loop with what measures it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const Question = z.object({ id: z.number(), name: z.string(), params: z.unknown() });
const Answer = z.object({ id: z.number(), result: z.unknown().optional(), error: z.string().optional() });

export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;

  constructor(main: URL) {
    this.#process = fork(fileURLToPath(main), { serialization: "advanced" });
    this.#process.on("message", (message) => this.#receive(Answer.parse(message)));
    this.#process.once("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${main.pathname} ended: ${code}`));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @throws when the question could not be answered, or the process ended */
  async ask<T>(name: string, params: unknown, answer: z.ZodType<T>): Promise<T> {
    const id = this.#count++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#process.send({ id, name, params });
    return answer.parse(await waiting.promise);
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.disconnect();
    await exited;
  }

  #receive({ id, result, error }: z.infer<typeof Answer>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}

/** The other end: answers until the parent lets go, and ends then. */
export function answerParent(answers: Record<string, (params: unknown) => unknown>): void {
  process.on("message", async (message) => {
    const { id, name, params } = Question.parse(message);
    try {
      process.send?.({ id, result: await answers[name]?.(params) });
    } catch (thrown) {
      process.send?.({ id, error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : `${thrown}` });
    }
  });
  process.once("disconnect", () => process.exit());
}
