/** How a task is created so that it starts once, however often the way to the gateway breaks. */
import type { z } from "zod";
import { type Clock, pause } from "../clock.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { CreateTaskRequest } from "../protocol/client.ts";
import { isUnanswered } from "./client-errors.ts";

export type NewTask = z.input<typeof CreateTaskRequest>;

const RETRY: Backoff = { firstMs: 500, mostMs: 8_000 };
/** A gateway that is started anew is back before the last of them; one that is not there is soon said not to be. */
const TRIES = 5;
/** Nor is a request that takes long to fail sent again after this. */
const REPEAT_FOR_MS = 60_000;

/** Nobody can say whether the task was started: the same request under this key finds it, or starts it. */
export type TaskUnanswered = Error & { idempotencyKey: string };

export const isTaskUnanswered = (thrown: unknown): thrown is TaskUnanswered =>
  isUnanswered(thrown) && "idempotencyKey" in thrown;

/**
 * Sends the request under an idempotency key, one of its own if none is given, and under the same key again while no
 * answer comes, with growing pauses: the gateway knows it again, so that the task starts once.
 * @throws what `send` throws: when it was answered, or at last as `TaskUnanswered`
 */
export async function createOnce<Request extends { idempotencyKey?: string | undefined }, T>(
  request: Request,
  send: (request: Request & { idempotencyKey: string }) => Promise<T>,
  { clock, random }: { clock: Clock; random(): number },
): Promise<T> {
  const keyed = { ...request, idempotencyKey: request.idempotencyKey ?? newIdempotencyKey() };
  const untilMs = clock.now() + REPEAT_FOR_MS;
  for (let tries = 1; ; tries++) {
    try {
      return await send(keyed);
    } catch (thrown) {
      if (!isUnanswered(thrown)) throw thrown;
      if (tries >= TRIES || clock.now() >= untilMs)
        throw Object.assign(thrown, { idempotencyKey: keyed.idempotencyKey });
      await pause(clock, backoffMs(RETRY, tries - 1, random()));
    }
  }
}

/** 128 random bits. `crypto.randomUUID` is missing on pages that came over plain http. */
export const newIdempotencyKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
