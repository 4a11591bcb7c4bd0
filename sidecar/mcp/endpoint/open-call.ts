/**
 * A call of a 2026 client that a 2025 server works on. When that asks the client something, the client's request is
 * answered by `input_required` and the server's stays open: the client's next request, with its answers, goes on with it.
 */
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import { isRecord } from "../record.ts";
import { NOT_OFFERED, neededFor, offers } from "./capabilities.ts";
import type { Holder } from "./held-calls.ts";
import { inputRequired, missingCapabilities } from "./translate/to-legacy.ts";

/** Who called what: only the same may go on with it. */
export type CallFacts = { client: string; server: string | null; request: McpRequest };

/** The client's request that waits now: it is settled by the outcome, or by what is wanted before that. */
export type Waiter = {
  /** What it calls the progress; undefined: it wants to hear of none. */
  progressToken: unknown;
  hear(notification: Notification): void;
  settle(answer: McpAnswer): void;
};

type Asking = { request: McpRequest; resolve(answer: McpAnswer): void };

export const LEFT = new HivegateError("invalid_request", "The client left before the answer.");

export class OpenCall {
  readonly facts: CallFacts;
  readonly #holder: Holder;
  readonly #ending = new AbortController();
  readonly #asking = new Map<string, Asking>();
  #capabilities: Record<string, unknown>;
  /** What the server asked for and the client does not offer. */
  readonly #missing: McpRequest[] = [];
  /** Null while the client is away. */
  #waiter: Waiter | null;
  #outcome: McpAnswer | null = null;
  #asked = 0;

  constructor(facts: CallFacts, holder: Holder, capabilities: Record<string, unknown>, waiter: Waiter) {
    this.facts = facts;
    this.#holder = holder;
    this.#capabilities = capabilities;
    this.#waiter = waiter;
  }

  /** Aborted when nobody wants the answer any more. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Said while the client is away it is lost: only the outcome is kept. */
  hear(notification: Notification): void {
    const waiter = this.#waiter;
    if (!waiter) return;
    const { progressToken } = waiter;
    const { method, params } = notification;
    if (method !== "notifications/progress") waiter.hear(notification);
    else if (progressToken !== undefined) waiter.hear({ method, params: { ...params, progressToken } });
  }

  /** The server asks. What else it asks at once goes to the client together with it. */
  ask(request: McpRequest, signal: AbortSignal): Promise<McpAnswer> {
    if (!offers(this.#capabilities, neededFor(request))) {
      this.#missing.push(request);
      return Promise.resolve(NOT_OFFERED);
    }
    if (this.#asking.size >= LIMITS.mcpAsked || !this.#holder.hasRoom(this))
      return Promise.resolve(NOT_OFFERED);
    const key = `input-${++this.#asked}`;
    const { promise, resolve, reject } = Promise.withResolvers<McpAnswer>();
    const onAbort = () => {
      this.#asking.delete(key);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort);
    this.#asking.set(key, {
      request,
      resolve: (answer) => {
        signal.removeEventListener("abort", onAbort);
        this.#asking.delete(key);
        resolve(answer);
      },
    });
    queueMicrotask(() => this.#passOn());
    return promise;
  }

  /** The server has answered, or never will. Kept for the client where that is away. */
  finish(said: McpAnswer): void {
    // It may have been able to do without; where it was not, 2026 wants to be told what for.
    const answer = this.#missing.length > 0 && hasFailed(said) ? missingCapabilities(this.#missing) : said;
    if (this.#waiter) this.#settle(answer);
    else this.#outcome = answer;
  }

  /** The client comes back. What it did not answer it is asked again. */
  resume(waiter: Waiter, responses: unknown, capabilities: Record<string, unknown>): void {
    this.#waiter = waiter;
    this.#capabilities = capabilities;
    for (const [key, asking] of [...this.#asking]) {
      const response = isRecord(responses) ? responses[key] : undefined;
      if (isRecord(response)) asking.resolve({ result: response });
    }
    if (this.#outcome) this.#settle(this.#outcome);
    else this.#passOn();
  }

  left(waiter: Waiter): void {
    if (this.#waiter === waiter) this.abandon(LEFT);
  }

  /** The client has left, or does not come back in time. */
  abandon(reason: HivegateError): void {
    this.#waiter = null;
    this.#ending.abort(reason);
  }

  #settle(answer: McpAnswer): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.settle(answer);
  }

  #passOn(): void {
    if (!this.#waiter || this.#asking.size === 0) return;
    const wanted = [...this.#asking].map(([key, { request }]) => [key, request] as const);
    this.#settle(inputRequired(Object.fromEntries(wanted), this.#holder.hold(this)));
  }
}

const hasFailed = (answer: McpAnswer): boolean => "error" in answer || answer.result.isError === true;
