/**
 * How the systems that this one replaces did it: each client has its own turn, in which the picture is filtered
 * for it and written as JSON, whole. Plain JavaScript, because workerd runs it as it is.
 */
import { DurableObject } from "cloudflare:workers";

export default {
  fetch: (request, env) => env.OBJECT.get(env.OBJECT.idFromName("naive")).fetch(request),
};

export class Bench extends DurableObject {
  #agents = [];
  #timer = null;

  async fetch(request) {
    const { searchParams } = new URL(request.url);
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      server.serializeAttachment(searchParams.get("swarm"));
      return new Response(null, { status: 101, webSocket: client });
    }
    clearTimeout(this.#timer);
    if (request.method === "POST") this.#agents = await request.json();
    const hz = Number(searchParams.get("hz"));
    if (hz > 0) this.#wait(1_000 / hz, Date.now());
    return new Response();
  }

  #wait(intervalMs, dueMs) {
    this.#timer = setTimeout(() => {
      this.#wait(intervalMs, Math.max(dueMs + intervalMs, Date.now()));
      for (const socket of this.ctx.getWebSockets()) {
        const swarm = socket.deserializeAttachment();
        const agents = this.#agents.filter(({ swarm_id }) => swarm_id === swarm);
        socket.send(JSON.stringify({ type: "agent_update", timestamp: Date.now(), payload: { agents } }));
      }
    }, dueMs - Date.now());
  }
}
