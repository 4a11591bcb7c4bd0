import { WebSocket } from "ws";
import { LIMITS } from "../../../shared/limits.ts";
import type { OpenWire, Wire } from "../wire.ts";
import { parseLine } from "./parse-line.ts";

/** A WebSocket with the subprotocol `mcp`: a message a frame. */
export function webSocketWire({ url, headers }: { url: string; headers: Record<string, string> }): OpenWire {
  return ({ onMessage, onClose }, signal, timeoutMs) => {
    const { promise, resolve, reject } = Promise.withResolvers<Wire>();
    const socket = new WebSocket(url, ["mcp"], {
      headers,
      handshakeTimeout: timeoutMs,
      maxPayload: LIMITS.mcpLineBytes,
      perMessageDeflate: false,
    });
    const stop = () => socket.terminate();
    let opened = false;
    let cause: Error | null = null;

    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    socket.on("open", () => {
      opened = true;
      resolve({
        get isOpen() {
          return socket.readyState === WebSocket.OPEN;
        },
        get unsentBytes() {
          return socket.bufferedAmount;
        },
        send: (message) => socket.send(JSON.stringify(message)),
        // A server that is frozen would not answer a close.
        close: async () => stop(),
      });
    });
    socket.on("message", (data) => {
      if (socket.readyState === WebSocket.OPEN) onMessage(parseLine(data.toString()));
    });
    socket.on("error", (error) => {
      cause = error;
    });
    socket.on("close", () => {
      signal.removeEventListener("abort", stop);
      if (opened) onClose(cause);
      else reject(cause ?? new Error("the connection was closed before it was open"));
    });
    return promise;
  };
}
