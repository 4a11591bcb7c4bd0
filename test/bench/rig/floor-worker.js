/**
 * The floor: what the runtime itself can do. A Durable Object holds hibernating sockets and sends them a text
 * that was made beforehand. Plain JavaScript, because workerd runs it as it is.
 */
import { DurableObject } from "cloudflare:workers";

export default {
  fetch: (request, env) => env.OBJECT.get(env.OBJECT.idFromName("floor")).fetch(request),
};

export class Bench extends DurableObject {
  #timer = null;
  #text = "";

  fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    const { hz, bytes } = Object.fromEntries(new URL(request.url).searchParams);
    clearTimeout(this.#timer);
    this.#text = `{"type":"agent_update","x":"${"x".repeat(Math.max(0, bytes - 30))}"}`;
    if (Number(hz) > 0) this.#wait(1_000 / hz, Date.now());
    return new Response();
  }

  /** By deadline, as a Shard's ticks are. */
  #wait(intervalMs, dueMs) {
    this.#timer = setTimeout(() => {
      this.#wait(intervalMs, Math.max(dueMs + intervalMs, Date.now()));
      for (const socket of this.ctx.getWebSockets()) socket.send(this.#text);
    }, dueMs - Date.now());
  }
}
