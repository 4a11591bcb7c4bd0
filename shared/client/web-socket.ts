/** The one thing the stream needs of a platform: a way to open a WebSocket. */
export type SocketEvents = {
  message(data: string | ArrayBuffer): void;
  /** Comes once, also when the connection could not be made. */
  close(code: number, reason: string): void;
};
export type Socket = { send(text: string): void; close(): void };
export type OpenSocket = (url: string, protocols: string[], events: SocketEvents) => Socket;

/** The platform's own WebSocket: browsers, Deno, Node from 22 on. */
export const openWebSocket: OpenSocket = (url, protocols, events) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string" || data instanceof ArrayBuffer) events.message(data);
  });
  socket.addEventListener("close", ({ code, reason }) => events.close(code, reason));
  return {
    // What is sent while the socket closes has no way to arrive; its close event is what tells.
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(1000),
  };
};

/** Has `listener` called when the platform says that the network is back; where it never does, nothing happens. */
export function whenOnline(listener: () => void): () => void {
  const target: unknown = globalThis;
  if (!(target instanceof EventTarget)) return () => {};
  target.addEventListener("online", listener);
  return () => target.removeEventListener("online", listener);
}
