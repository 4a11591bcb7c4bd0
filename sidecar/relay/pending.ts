/**
 * The requests that wait for an orchestrator's answer. Each has an id of our own, so that the equal ids of different
 * clients do not meet; the client's own is kept as it stood in its message.
 */
import { LIMITS } from "../../shared/limits.ts";

/** The answers to a batch, gathered until all are there. */
export type Batch = { requests: number; answers: string[]; chars: number };

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
  batch: Batch | null;
  sentMs: number;
};

export class Pending<S> {
  readonly #prefix: string;
  readonly #askers = new Map<string, Asker<S>>();
  readonly #perSession = new Map<S, number>();
  #count = 0;

  /** `prefix` is nobody else's, and needs no escapes in JSON. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#askers.size;
  }

  isFull(session: S): boolean {
    return (this.#perSession.get(session) ?? 0) >= LIMITS.relayPendingRequests;
  }

  /** Our id for this request, raw JSON. */
  add(asker: Asker<S>): string {
    const id = `"${this.#prefix}${++this.#count}"`;
    this.#askers.set(id, asker);
    if (asker.session) this.#perSession.set(asker.session, (this.#perSession.get(asker.session) ?? 0) + 1);
    return id;
  }

  /** Whose request has this id of ours; undefined: nobody's, or no longer. */
  get(id: string): Asker<S> | undefined {
    return this.#askers.get(id);
  }

  /** The same, and it is answered. */
  take(id: string): Asker<S> | undefined {
    const asker = this.#askers.get(id);
    this.#askers.delete(id);
    if (asker?.session) this.#discount(asker.session);
    return asker;
  }

  /** Our id for the request that this client sent last with this id of its own; null: none waits. */
  find(session: S, id: string): string | null {
    let found: string | null = null;
    for (const [ours, asker] of this.#askers) if (asker.session === session && asker.id === id) found = ours;
    return found;
  }

  /** The client is gone: its answers are no longer wanted. */
  forget(session: S): void {
    if (!this.#perSession.delete(session)) return;
    for (const [id, asker] of this.#askers) if (asker.session === session) this.#askers.delete(id);
  }

  /** All that will not be answered. */
  takeAll(): Asker<S>[] {
    const all = [...this.#askers.values()];
    this.#askers.clear();
    this.#perSession.clear();
    return all;
  }

  #discount(session: S): void {
    const left = (this.#perSession.get(session) ?? 1) - 1;
    if (left > 0) this.#perSession.set(session, left);
    else this.#perSession.delete(session);
  }
}
