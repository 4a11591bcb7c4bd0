/** Calls that wait for their client to come back with what the server asked for: a bounded number, for a bounded time. */
import { hash } from "node:crypto";
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import { without } from "./fields.ts";
import type { CallFacts, OpenCall } from "./open-call.ts";
import { Tally } from "./tally.ts";

export interface Holder {
  hasRoom(call: OpenCall): boolean;
  /** What the client has to bring back to go on with the call, once. */
  hold(call: OpenCall): string;
}

type Held = { call: OpenCall; fingerprint: string; chars: number; cancelTimer: () => void };

export class HeldCalls implements Holder {
  readonly #clock: Clock;
  readonly #uuid: () => string;
  readonly #held = new Map<string, Held>();
  readonly #ofClient = new Tally();
  #chars = 0;

  /** `uuid` has to give what nobody can guess. */
  constructor(clock: Clock, uuid: () => string) {
    this.#clock = clock;
    this.#uuid = uuid;
  }

  get size(): number {
    return this.#held.size;
  }

  hasRoom({ facts: { client } }: OpenCall): boolean {
    const isFull = this.#held.size >= LIMITS.mcpHeldCalls || this.#chars >= LIMITS.mcpHeldChars;
    return !isFull && this.#ofClient.of(client) < LIMITS.mcpHeldCallsPerClient;
  }

  hold(call: OpenCall): string {
    const state = this.#uuid();
    const cancelTimer = this.#clock.after(LIMITS.mcpAskedMs, () => {
      this.#take(state);
      call.abandon(new HivegateError("timeout"));
    });
    const text = lastingText(call.facts.request);
    this.#held.set(state, { call, cancelTimer, fingerprint: fingerprintOf(text), chars: text.length });
    this.#chars += text.length;
    this.#ofClient.add(call.facts.client, 1);
    return state;
  }

  /** The call that this state stands for, if whoever brings it made that very call; it is good for one time. */
  resume(state: string, { client, server, request }: CallFacts): OpenCall | null {
    const held = this.#held.get(state);
    if (held?.call.facts.client !== client || held.call.facts.server !== server) return null;
    return held.fingerprint === fingerprintOf(lastingText(request)) ? this.#take(state) : null;
  }

  /** There is no such server any more, so that nobody can come back to it. */
  forget(server: string): void {
    const lost = [...this.#held].filter(([, { call }]) => call.facts.server === server);
    for (const [state] of lost) this.#take(state)?.abandon(new HivegateError("unknown_server"));
  }

  close(): void {
    for (const state of [...this.#held.keys()])
      this.#take(state)?.abandon(new HivegateError("shutting_down"));
  }

  #take(state: string): OpenCall | null {
    const held = this.#held.get(state);
    if (!held) return null;
    this.#held.delete(state);
    held.cancelTimer();
    this.#chars -= held.chars;
    this.#ofClient.add(held.call.facts.client, -1);
    return held.call;
  }
}

/** What stays the same when a client sends a request again. */
const lastingText = ({ method, params }: McpRequest): string =>
  JSON.stringify([method, without(params, "_meta", "inputResponses", "requestState")]);

const fingerprintOf = (text: string): string => hash("sha256", text, "base64");
