/**
 * A relay's client. Its shard holds a link, so it never hibernates: its socket need not either, and costs less for
 * that. (An echo of 120 B through `workerd serve`: 12,200 a second with `acceptWebSocket`, 15,600 like this.)
 */
import type { ClientSocket, Hello } from "../../session/session.ts";
import type { Shard } from "../../session/shard.ts";

/** @throws as `Shard.connect` */
export function connectRelayed(shard: Shard, socket: WebSocket, hello: Hello): void {
  const client: ClientSocket = {
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    // The session ends with the object's memory.
    save: () => {},
    // Not in all versions of the runtime.
    backlogBytes: () => (typeof socket.bufferedAmount === "number" ? socket.bufferedAmount : null),
    heartbeatMs: () => null,
  };
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string" || data instanceof ArrayBuffer) void shard.receive(client, data);
  });
  socket.addEventListener("close", ({ code, reason }) => shard.disconnect(client, code, reason));
  socket.addEventListener("error", () => shard.disconnect(client));
  socket.accept();
  shard.connect(client, hello);
}
