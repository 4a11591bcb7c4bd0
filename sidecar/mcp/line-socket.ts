import { connect } from "node:net";
import { LineSplitter, LineTooLong } from "../../shared/wire/lines.ts";

/** An open TCP connection that carries lines. */
export type LineSocket = {
  /** False once the other side hung up, even if that has not been told yet. */
  readonly isOpen: boolean;
  /** Bytes accepted from us and not yet taken by the other side. */
  readonly unsentBytes: number;
  send(line: string): void;
  close(): void;
};

export type LineSocketOptions = {
  host: string;
  port: number;
  connectTimeoutMs: number;
  /** Closes the socket, open or not. */
  signal: AbortSignal;
  /** A received line above this closes the socket. */
  lineBytes: number;
  onLine(line: string): void;
  /** Called once when an open socket is lost or closed; `cause` is null when nothing went wrong. */
  onClose(cause: Error | null): void;
};

/** Rejects with the system's own error when the connection cannot be made in time. */
export function openLineSocket(options: LineSocketOptions): Promise<LineSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<LineSocket>();
  const { host, port, signal } = options;
  const socket = connect({ host, port, signal, noDelay: true, keepAlive: true });
  const splitter = new LineSplitter(options.lineBytes);
  const timer = setTimeout(
    () => socket.destroy(new Error("no connection in time")),
    options.connectTimeoutMs,
  );
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
      send: (line) => void socket.write(`${line}\n`),
      close: () => void socket.destroy(),
    });
  });
  socket.on("data", (chunk) => {
    for (const line of linesOf(chunk)) {
      // A line may have made its receiver close the socket: the lines after it are no longer wanted.
      if (socket.destroyed) return;
      options.onLine(line);
    }
  });
  // The other side will say nothing more, so nothing sent from now on could be answered.
  socket.on("end", () => socket.destroy());
  socket.on("error", (error) => {
    cause = error;
  });
  socket.on("close", () => {
    clearTimeout(timer);
    if (opened) options.onClose(cause);
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
}
