import { connect } from "node:net";
import { LIMITS } from "../../../shared/limits.ts";
import { LineSplitter, LineTooLong } from "../../../shared/wire/lines.ts";
import type { OpenWire, Wire } from "../wire.ts";
import { parseLine } from "./parse-line.ts";

/** One TCP connection, a message a line. */
export function tcpWire({ host, port }: { host: string; port: number }): OpenWire {
  return ({ onMessage, onClose }, signal, timeoutMs) => {
    const { promise, resolve, reject } = Promise.withResolvers<Wire>();
    const socket = connect({ host, port, signal, noDelay: true, keepAlive: true });
    const splitter = new LineSplitter(LIMITS.mcpLineBytes);
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
    socket.on("data", (chunk) => {
      for (const line of linesOf(chunk)) {
        // A line may have made its receiver close the socket: the lines after it are no longer wanted.
        if (socket.destroyed) return;
        onMessage(parseLine(line));
      }
    });
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

    function linesOf(chunk: Uint8Array): string[] {
      try {
        return splitter.push(chunk);
      } catch (error) {
        if (!(error instanceof LineTooLong)) throw error;
        socket.destroy(error);
        return [];
      }
    }
  };
}
