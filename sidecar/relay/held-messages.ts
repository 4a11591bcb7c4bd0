import type { Clock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { costOf } from "../../shared/relay/channel.ts";
import { idKey, isRequest, scanRpc } from "../../shared/relay/json-rpc.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { TimedHold } from "../../shared/relay/timed-hold.ts";
import type { RelaySession } from "./session.ts";

/** What a session's client said. */
export type Said = { session: RelaySession; message: RelayMessage };

/** `id` as `idKey` writes it, if it is a single request: only that can be taken back. */
type Waiting = Said & { id: string | null };

const LIMITS_OF_ALL = { bytes: LIMITS.orchestratorHeldBytes, ageMs: LIMITS.relayHeldMs };

/** The messages of all sessions that wait for an orchestrator. */
export class HeldMessages {
  readonly #hold: TimedHold<Waiting>;

  constructor(ports: { clock: Clock; expired(messages: Said[]): void }) {
    this.#hold = new TimedHold<Waiting>({ ...ports, limits: LIMITS_OF_ALL });
  }

  get size(): number {
    return this.#hold.size;
  }

  /** False: there is no room for it. */
  hold(said: Said, text: string, urgent: boolean): boolean {
    const waiting = { ...said, id: requestId(text) };
    return this.#hold.hold(waiting, { bytes: costOf(text), urgent });
  }

  shift(): Said | undefined {
    return this.#hold.shift();
  }

  /** Takes out a session's requests of this id (raw JSON), but for those in a batch. */
  takeRequests(session: RelaySession, id: string): Said[] {
    const key = idKey(id);
    return this.#hold.takeOut((one) => one.session === session && one.id === key);
  }

  takeAll(): Said[] {
    return this.#hold.takeOut();
  }
}

function requestId(text: string): string | null {
  const message = scanRpc(text);
  const [part] = message && !message.isBatch ? message.parts : [];
  return part && isRequest(part) ? idKey(part.id) : null;
}
