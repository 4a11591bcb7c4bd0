/** A client's WebSocket as Deno has it, for a Shard that expects what Cloudflare's runtime does by itself. */
import { serialize } from "node:v8";
import { LIMITS } from "../../../shared/limits.ts";
import { HEARTBEAT, HEARTBEAT_ACK } from "../../../shared/protocol/heartbeat.ts";
import type { ClientSocket, SessionState } from "../../session/session.ts";

/** What Cloudflare takes. There is nothing to store here, but what one host refuses the other has to refuse too. */
const STATE_BYTES = 16_384;

export type SocketListener = { received(data: string | ArrayBuffer): void; closed(): void };

export class DenoSocket implements ClientSocket {
  readonly #socket: WebSocket;
  #heartbeatMs: number | null = null;

  /** `socket` is open. */
  constructor(socket: WebSocket, listener: SocketListener) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (data === HEARTBEAT) this.#answerHeartbeat();
      else listener.received(data);
    };
    socket.onclose = () => listener.closed();
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("the socket is closed");
    this.#socket.send(data);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  save(state: SessionState): void {
    if (serialize(state).byteLength > STATE_BYTES) throw new Error("the session's state is too large");
  }

  backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  heartbeatMs(): number | null {
    return this.#heartbeatMs;
  }

  /** One that does not read gets no answers that would pile up. */
  #answerHeartbeat(): void {
    this.#heartbeatMs = Date.now();
    if (this.backlogBytes() < LIMITS.lateSessionBytes) this.send(HEARTBEAT_ACK);
  }
}
