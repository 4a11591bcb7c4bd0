import { ERRORS, HivegateError } from "../../shared/errors.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { NotConnected, type Orchestrator } from "./orchestrator.ts";
import type { OpenSocket } from "./orchestrator-socket.ts";
import type { RelaySession, Upstream } from "./session.ts";

const NORMAL = 1000;
const GOING_AWAY = 1001;
const NO_CODE = 1005;
const isSayable = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
  (code >= 3000 && code <= 4999);

/** A close without a code is told as a normal one, a connection that broke off as one that goes away. */
const toSay = (code: number): number => (isSayable(code) ? code : code === NO_CODE ? NORMAL : GOING_AWAY);

/**
 * A connection to an orchestrator for one session: every message passes as it is, and the end of either side is the
 * end of the other. It does not come back by itself: nobody here knows what was said before.
 */
export class DedicatedUpstream implements Upstream {
  readonly #session: RelaySession;
  readonly #onEnd: () => void;
  readonly #stopping = new AbortController();
  #socket: OpenSocket | null = null;
  /** What came before the connection was open: the client's credit bounds it. */
  #early: RelayMessage[] = [];
  #isConnecting = true;
  /** How the session ended while the connection was not open yet: what was said before it still goes out. */
  #left: { code: number; reason: string } | null = null;
  /** The orchestrator's end, told to the client once it has read what was said before. */
  #ending: (() => void) | null = null;

  /** `onEnd` is called once it is over, whoever ended it. */
  constructor(session: RelaySession, orchestrator: Orchestrator, onEnd: () => void) {
    this.#session = session;
    this.#onEnd = onEnd;
    session.upstream = this;
    session.notice({ state: "connecting" });
    void this.#connect(orchestrator);
  }

  send(session: RelaySession, message: RelayMessage): void {
    const socket = this.#socket;
    if (!socket) {
      this.#early.push(message);
      return;
    }
    const { data } = message;
    session.sent(data, null);
    socket.send(data, () => session.passedOn(data));
  }

  drained(): void {
    if (this.#ending) this.#ending();
    else this.#socket?.resume();
  }

  declined(): void {
    // What cannot be delivered ends the session.
  }

  leave(_: RelaySession, code: number, reason: string): void {
    if (this.#isConnecting && this.#early.length > 0) this.#left = { code, reason };
    else this.#finish(code, reason);
  }

  #finish(code: number, reason: string): void {
    this.#stopping.abort();
    for (const { data } of this.#early.splice(0))
      this.#session.audit("to_orchestrator", data, null, "swarm_unavailable");
    this.#socket?.close(toSay(code), reason);
    this.#socket = null;
    this.#onEnd();
  }

  async #connect(orchestrator: Orchestrator): Promise<void> {
    const session = this.#session;
    try {
      const socket = await orchestrator.open({
        signal: this.#stopping.signal,
        onMessage: (data) => this.#received(data),
        onClose: (code, reason, error) => this.#closed(code, reason, error),
      });
      if (this.#stopping.signal.aborted) {
        socket.close(NORMAL);
        return;
      }
      this.#isConnecting = false;
      this.#socket = socket;
      session.notice({ state: "connected" });
      for (const message of this.#early.splice(0)) this.send(session, message);
      if (this.#left) this.#finish(this.#left.code, this.#left.reason);
      else if (session.isBlocked) socket.pause();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#isConnecting = false;
      const why = error instanceof HivegateError ? error : new HivegateError("swarm_unavailable");
      if (error instanceof NotConnected) {
        const details = { orchestrator: orchestrator.publicUrl, err: error };
        orchestrator.options.log.warn(details, "cannot use the orchestrator");
      }
      session.notice({ state: why.code === "circuit_open" ? "circuit_open" : "interrupted" });
      if (this.#left) this.#finish(this.#left.code, this.#left.reason);
      else session.end(ERRORS[why.code].close, why.message);
    }
  }

  #received(data: string | Uint8Array): void {
    if (this.#stopping.signal.aborted) return;
    this.#session.deliver(data, null);
    if (this.#session.isBlocked) this.#socket?.pause();
  }

  #closed(code: number, reason: string, error: Error | null): void {
    this.#socket = null;
    if (this.#stopping.signal.aborted) return;
    const session = this.#session;
    session.notice({ state: "interrupted" });
    const isClean = (isSayable(code) || code === NO_CODE) && !error;
    const end = () => {
      if (isClean) session.end(toSay(code), reason);
      else session.end(ERRORS.swarm_unavailable.close, "The orchestrator was lost.");
    };
    if (session.isBlocked) this.#ending = end;
    else end();
  }
}
