/**
 * What an orchestrator asked of clients and they have not answered. Each request gets an id of our own: an orchestrator
 * counts anew on each connection, and a late answer must not be taken for the answer to another question.
 */
import type { Clock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { idKey } from "../../shared/relay/json-rpc.ts";
import { copied } from "./rpc-text.ts";

/** Above it what is asked of a client is refused: one that answers nothing takes no room from the others. */
const QUESTIONS_PER_CLIENT = 64;
/** People answer some of them. */
const ANSWER_WITHIN_MS = 10 * 60_000;

/** `id` is the orchestrator's, raw JSON. */
type Question<S> = { client: S; id: string; sinceMs: number };

export type AskedPorts = {
  /** For our ids: nobody else's, without what needs escapes in JSON. */
  prefix: string;
  clock: Clock;
  /** These requests of the orchestrator's were not answered in time, and wait no longer. */
  expired(ids: string[]): void;
};

export class Asked<S> {
  readonly #ports: AskedPorts;
  /** By our ids, the oldest first. */
  readonly #questions = new Map<string, Question<S>>();
  #count = 0;
  #cancelExpiry: (() => void) | null = null;

  constructor(ports: AskedPorts) {
    this.#ports = ports;
  }

  /** Our id for this request, raw JSON; null: too many wait. */
  add(client: S, id: string): string | null {
    const ofClient = this.#entries(({ client: one }) => one === client).length;
    if (this.#questions.size >= LIMITS.relayPendingRequests || ofClient >= QUESTIONS_PER_CLIENT) return null;
    const { prefix, clock } = this.#ports;
    const ours = `"${prefix}${++this.#count}"`;
    this.#questions.set(ours, { client, id: copied(id), sinceMs: clock.now() });
    this.#expireLater(ANSWER_WITHIN_MS);
    return ours;
  }

  /** The orchestrator's id for what this client was asked by an id of ours; null: nothing, or no longer. */
  take(client: S, id: string): string | null {
    const ours = idKey(id);
    const question = this.#questions.get(ours);
    if (question?.client !== client) return null;
    this.#remove([ours]);
    return question.id;
  }

  /** The orchestrator no longer wants an answer to what it asked by this id of its own: whom, and by which of ours. */
  takeBack(id: string): { client: S; ours: string } | null {
    const key = idKey(id);
    const [found] = this.#entries((question) => idKey(question.id) === key);
    if (!found) return null;
    const [ours, { client }] = found;
    this.#remove([ours]);
    return { client, ours };
  }

  /** The orchestrator's ids of all that was asked of this client, or of anybody: it waits no longer. */
  takeAll(client?: S): string[] {
    return this.#takeOut((question) => client === undefined || question.client === client);
  }

  #takeOut(isWanted: (question: Question<S>) => boolean): string[] {
    const taken = this.#entries(isWanted);
    this.#remove(taken.map(([ours]) => ours));
    return taken.map(([, { id }]) => id);
  }

  #entries(isWanted: (question: Question<S>) => boolean): [ours: string, Question<S>][] {
    return [...this.#questions].filter(([, question]) => isWanted(question));
  }

  #remove(ours: string[]): void {
    for (const one of ours) this.#questions.delete(one);
    if (this.#questions.size > 0) return;
    this.#cancelExpiry?.();
    this.#cancelExpiry = null;
  }

  #expireLater(delayMs: number): void {
    const { clock, expired } = this.#ports;
    this.#cancelExpiry ??= clock.after(delayMs, () => {
      this.#cancelExpiry = null;
      const untilMs = clock.now() - ANSWER_WITHIN_MS;
      const ids = this.#takeOut(({ sinceMs }) => sinceMs <= untilMs);
      const [oldest] = this.#questions.values();
      if (oldest) this.#expireLater(oldest.sinceMs - untilMs);
      if (ids.length > 0) expired(ids);
    });
  }
}
