import { connect } from "node:net";
import type { OpenWire, Wire } from "../wire.ts";
import { messageLines } from "./message-lines.ts";

/** One TCP connection, a message a line. */
export function tcpWire({ host, port }: { host: string; port: number }): OpenWire {
  return ({ onMessage, onClose }, signal, timeoutMs) => {
    // Node would connect all the same, and never let go of the socket.
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Wire>();
    const socket = connect({ host, port, signal, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(new Error("no connection in time")), timeoutMs);
    let opened = false;
    let cause: Error | null = null;

    socket.on("connect", () => {
      opened = true;
      clearTimeout(timer);
      resolve({
        get isOpen() {
          return socket.writable && !socket.readableEnded;
        },
        get unsentBytes() {
          return socket.writableLength;
        },
        send: (message) => void socket.write(`${JSON.stringify(message)}\n`),
        close: async () => void socket.destroy(),
      });
    });
    const lines = messageLines({
      onMessage,
      wanted: () => !socket.destroyed,
      tooLong: (error) => void socket.destroy(error),
    });
    socket.on("data", lines);
    // The other side will say nothing more, so nothing sent from now on could be answered.
    socket.on("end", () => socket.destroy());
    socket.on("error", (error) => {
      cause = error;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      if (opened) onClose(cause);
      else reject(cause ?? new Error("the connection was closed before it was open"));
    });
    return promise;
  };
}
