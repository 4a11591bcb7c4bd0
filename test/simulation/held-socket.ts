/** A client's socket as the platform holds it, with what outlives the shard's memory; and what it must never do. */
import { LIMITS } from "../../shared/limits.ts";
import { type ClientSocket, SessionState } from "../../worker/session/session.ts";
import type { Data } from "./lane.ts";
import type { End } from "./wire.ts";

export type HeldSocketPorts = {
  /** Whether the runtime says how much has not gone out. */
  tellsBacklog: boolean;
  /** Something else for each time that the shard begins without memory. */
  life(): unknown;
  /** A frame is on its way to the client whose session this is. */
  sent(state: SessionState, text: string): void;
  wrong(what: string): void;
};

const ATTACHMENT_BYTES = 16_384;
/** Probes are not counted: one goes out each `probeEveryBytes`. */
const PROBES_BYTES = 100 * Math.ceil(LIMITS.sessionBacklogBytes / LIMITS.probeEveryBytes);

export class HeldSocket implements ClientSocket {
  readonly #end: End;
  readonly #ports: HeldSocketPorts;
  #state: SessionState | null = null;
  #heartbeatMs: number | null = null;
  #largestBytes = 0;
  #life: unknown = null;
  /** What lay unread when the shard, without its memory, began to count anew. */
  #beforeBytes = 0;

  constructor(end: End, ports: HeldSocketPorts) {
    this.#end = end;
    this.#ports = ports;
  }

  /** As it was saved last. */
  get state(): SessionState {
    return SessionState.parse(this.#state);
  }

  send(data: Data): void {
    if (this.#state) this.#ports.sent(this.#state, textOf(data));
    const life = this.#ports.life();
    if (this.#life !== life) this.#beforeBytes = this.#end.unreadBytes;
    this.#life = life;
    this.#largestBytes = Math.max(this.#largestBytes, data.length);
    this.#end.send(data);
    const most = this.#beforeBytes + LIMITS.sessionBacklogBytes + 2 * this.#largestBytes + PROBES_BYTES;
    if (this.#end.unreadBytes > most)
      this.#ports.wrong(`${this.#end.unreadBytes} bytes lie unread for a client, of at most ${most}`);
  }

  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  save(state: SessionState): void {
    const text = JSON.stringify(state);
    if (text.length > ATTACHMENT_BYTES) throw new Error("the attachment is too long");
    this.#state = JSON.parse(text);
  }

  backlogBytes(): number | null {
    return this.#ports.tellsBacklog ? this.#end.unreadBytes : null;
  }

  /** The platform answers a heartbeat by itself. */
  answersHeartbeat(nowMs: number, answer: string): void {
    this.#heartbeatMs = nowMs;
    this.#end.send(answer);
  }

  heartbeatMs(): number | null {
    return this.#heartbeatMs;
  }
}

const textOf = (data: Data): string => (typeof data === "string" ? data : new TextDecoder().decode(data));
