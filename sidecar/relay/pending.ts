/**
 * The requests that wait for an orchestrator's answer. Each has an id of our own, so that the equal ids of different
 * clients do not meet; the client's own is kept as it stood in its message.
 */
import { LIMITS } from "../../shared/limits.ts";
import { idKey } from "../../shared/relay/json-rpc.ts";
import type { BatchAnswer } from "./batch-answer.ts";

/** Its texts are copies: see `copied`. */
export type Asker<S> = {
  /** Null: the relay itself asks. */
  session: S | null;
  /** The client's own id, raw JSON. */
  id: string;
  method: string;
  /** The request as it came, if it may have to be said again: `initialize` alone. */
  text: string | null;
  /** The client's token for notices of progress, raw JSON; it too was replaced by our id. */
  progressToken: string | null;
  batch: BatchAnswer | null;
  sentMs: number;
};

export class Pending<S> {
  readonly #prefix: string;
  readonly #askers = new Map<string, Asker<S>>();
  /** Our ids of each session's requests. */
  readonly #ofSession = new Map<S, Set<string>>();
  #count = 0;

  /** `prefix` is nobody else's, and needs no escapes in JSON. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#askers.size;
  }

  isFull(session: S): boolean {
    return (this.#ofSession.get(session)?.size ?? 0) >= LIMITS.relayPendingRequests;
  }

  /** Our id for this request, raw JSON. */
  add(asker: Asker<S>): string {
    const id = `"${this.#prefix}${++this.#count}"`;
    this.#askers.set(id, asker);
    const { session } = asker;
    if (!session) return id;
    const ofSession = this.#ofSession.get(session) ?? new Set();
    this.#ofSession.set(session, ofSession.add(id));
    return id;
  }

  /** Whose request has this id of ours; undefined: nobody's, or no longer. */
  get(id: string): Asker<S> | undefined {
    return this.#askers.get(id);
  }

  /** Whether an id (raw JSON) is one of ours, were it of a request that is over. */
  isOurs(id: string): boolean {
    return id.startsWith(`"${this.#prefix}`);
  }

  /** The same as `get`, and it is answered. */
  take(id: string): Asker<S> | undefined {
    const asker = this.#askers.get(id);
    this.#askers.delete(id);
    if (asker?.session) this.#discount(asker.session, id);
    return asker;
  }

  /** Our id for the request that this client sent last with this id of its own; null: none waits. */
  find(session: S, id: string): string | null {
    const key = idKey(id);
    const isIt = (ours: string) => idKey(this.#askers.get(ours)?.id ?? "") === key;
    return [...(this.#ofSession.get(session) ?? [])].findLast(isIt) ?? null;
  }

  /** The client is gone: its answers are no longer wanted. */
  forget(session: S): void {
    for (const id of this.#ofSession.get(session) ?? []) this.#askers.delete(id);
    this.#ofSession.delete(session);
  }

  /** All that will not be answered. */
  takeAll(): Asker<S>[] {
    const all = [...this.#askers.values()];
    this.#askers.clear();
    this.#ofSession.clear();
    return all;
  }

  #discount(session: S, id: string): void {
    const ofSession = this.#ofSession.get(session);
    ofSession?.delete(id);
    if (ofSession?.size === 0) this.#ofSession.delete(session);
  }
}
