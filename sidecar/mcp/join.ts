/** Equal calls of one client, under way at the same time, reach their server once. */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Notification } from "./json-rpc-session.ts";
import type { Exchange, Upstream } from "./upstream.ts";

type Send = Upstream["exchange"];

export type JoinedAnswer = { answer: McpAnswer; isJoined: boolean };

/** Ours while a call is shared: each of those who wait has a token of its own, or none. */
const SHARED_TOKEN = "shared";

type Waiter = {
  token: string | number | undefined;
  exchange: Exchange;
  settle: PromiseWithResolvers<McpAnswer | null>;
};

type Shared = { waiters: Set<Waiter>; ended: AbortController };

export class JoinedCalls {
  readonly #calls = new Map<string, Shared>();
  readonly #limit: number;

  constructor(limit: number = LIMITS.joinableCalls) {
    this.#limit = limit;
  }

  /** Calls under way that others may join. */
  get size(): number {
    return this.#calls.size;
  }

  /**
   * As `send(request, exchange)`, or the answer to an equal call that is under way already. Calls are equal when their
   * client and their `key` are: whoever makes keys puts into them all that the answer depends on. Each one that waits may go
   * by itself; the last to go ends the call. What the server says meanwhile goes to all who wait then, progress to those who
   * asked for it; what it asks is asked of the first who can be asked.
   */
  async exchange(send: Send, request: McpRequest, exchange: Exchange, key: string): Promise<JoinedAnswer> {
    exchange.signal.throwIfAborted();
    const name = JSON.stringify([exchange.client, key]);
    const underWay = this.#calls.get(name);
    if (!underWay && this.#calls.size >= this.#limit) {
      return { answer: await send(request, exchange), isJoined: false };
    }
    const shared = underWay ?? { waiters: new Set(), ended: new AbortController() };
    const waiting = this.#wait(name, shared, request, exchange);
    if (!underWay) this.#begin(name, shared, send, request, exchange);
    const answer = await waiting;
    if (answer) return { answer, isJoined: underWay !== undefined };
    return { answer: await send(request, exchange), isJoined: false };
  }

  async #wait(
    name: string,
    shared: Shared,
    request: McpRequest,
    exchange: Exchange,
  ): Promise<McpAnswer | null> {
    const waiter: Waiter = { token: tokenOf(request), exchange, settle: Promise.withResolvers() };
    const leave = () => {
      shared.waiters.delete(waiter);
      waiter.settle.reject(exchange.signal.reason);
      if (shared.waiters.size > 0) return;
      this.#forget(name, shared);
      shared.ended.abort(exchange.signal.reason);
    };
    shared.waiters.add(waiter);
    exchange.signal.addEventListener("abort", leave, { once: true });
    try {
      return await waiter.settle.promise;
    } finally {
      exchange.signal.removeEventListener("abort", leave);
    }
  }

  #begin(name: string, shared: Shared, send: Send, request: McpRequest, first: Exchange): void {
    const { waiters, ended } = shared;
    this.#calls.set(name, shared);
    const over = () => {
      this.#forget(name, shared);
      return [...waiters];
    };
    send(withToken(request, SHARED_TOKEN), {
      ...first,
      signal: ended.signal,
      onNotification: (notification) => {
        for (const waiter of waiters) tell(waiter, notification);
      },
      ...(first.onRequest && { onRequest: (asked, signal) => ask(waiters, asked, signal) }),
    }).then(
      (answer) => {
        const [asker, ...others] = over();
        asker?.settle.resolve(answer);
        for (const { settle } of others) settle.resolve(isForOneOnly(answer) ? null : answer);
      },
      (error: unknown) => {
        for (const { settle } of over()) settle.reject(error);
      },
    );
  }

  #forget(name: string, shared: Shared): void {
    if (this.#calls.get(name) === shared) this.#calls.delete(name);
  }
}

/** A question to go on with is for one: the others have to be asked for themselves. */
const isForOneOnly = (answer: McpAnswer): boolean =>
  "result" in answer && answer.result.resultType === "input_required";

function tell({ token, exchange }: Waiter, notification: Notification): void {
  const { method, params } = notification;
  if (method !== "notifications/progress") exchange.onNotification?.(notification);
  else if (token !== undefined) {
    exchange.onNotification?.({ method, params: { ...params, progressToken: token } });
  }
}

/** Whoever is asked may leave without an answer: then it is the next one's question. */
async function ask(
  waiters: ReadonlySet<Waiter>,
  request: McpRequest,
  signal: AbortSignal,
): Promise<McpAnswer> {
  for (const { exchange } of waiters) {
    if (!exchange.onRequest) continue;
    try {
      return await exchange.onRequest(request, AbortSignal.any([signal, exchange.signal]));
    } catch (thrown) {
      if (signal.aborted || !exchange.signal.aborted) throw thrown;
    }
  }
  throw new HivegateError("not_supported", "The client cannot be asked.");
}

function tokenOf({ params }: McpRequest): string | number | undefined {
  const { _meta: meta } = params;
  if (typeof meta !== "object" || meta === null || !("progressToken" in meta)) return undefined;
  const { progressToken } = meta;
  return typeof progressToken === "string" || typeof progressToken === "number" ? progressToken : undefined;
}

function withToken({ method, params }: McpRequest, progressToken: string): McpRequest {
  const meta = typeof params._meta === "object" ? params._meta : {};
  return { method, params: { ...params, _meta: { ...meta, progressToken } } };
}
