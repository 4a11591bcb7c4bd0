/** The Durable Object that a Shard lives in: hibernating sockets, an alarm, and the way to its Hive. */
import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { platformClock } from "../../../shared/clock.ts";
import { ERRORS, HivegateError } from "../../../shared/errors.ts";
import { HiveId } from "../../../shared/protocol/ids.ts";
import { type ClientSocket, SessionState } from "../../session/session.ts";
import { type FeedSocket, Shard } from "../../session/shard.ts";
import { type Env, gatewayOf, log } from "./env.ts";
import { refuseSession } from "./refuse-session.ts";

export const HELLO_HEADER = "hivegate-hello";
const ShardHello = SessionState.pick({ hive: true, kind: true, identity: true }).extend({
  protocol: z.string().nullable(),
});

/** A header holds ASCII alone, and a subject may be anything. */
export const encodeHello = (hello: z.infer<typeof ShardHello>): string =>
  encodeURIComponent(JSON.stringify(hello));
const decodeHello = (header: string | null) => ShardHello.parse(JSON.parse(decodeURIComponent(header ?? "")));

/** The tag of the socket that the Hive dialled; clients' sockets carry none. */
const FEED = "feed";

export class ShardObject extends DurableObject<Env> {
  #shard: Shard | null = null;
  readonly #clients = new WeakMap<WebSocket, ClientSocket>();
  readonly #feeds = new WeakMap<WebSocket, FeedSocket>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    for (const socket of ctx.getWebSockets()) {
      if (ctx.getTags(socket).includes(FEED)) continue;
      const state = SessionState.safeParse(socket.deserializeAttachment());
      // A session written by an older version that cannot be understood starts over: its client reconnects.
      if (!state.success) socket.close(ERRORS.shutting_down.close, ERRORS.shutting_down.advice);
      else this.#shardOf(state.data.hive).restore(this.#clientOf(socket), state.data);
    }
    for (const socket of ctx.getWebSockets(FEED)) {
      if (this.#shard) this.#shard.feedRestored(this.#feedOf(socket));
      else this.#feedOf(socket).close();
    }
  }

  override async fetch(request: Request): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    const path = new URL(request.url).pathname;
    if (path.startsWith("/feed/")) {
      const shard = this.#shardOf(HiveId.parse(path.slice("/feed/".length)));
      this.ctx.acceptWebSocket(server, [FEED]);
      shard.feedConnected(this.#feedOf(server));
      return new Response(null, { status: 101, webSocket: client });
    }
    const hello = decodeHello(request.headers.get(HELLO_HEADER));
    const shard = this.#shardOf(hello.hive);
    if (shard.isFull) return refuseSession(request, new HivegateError("overloaded"), hello.protocol);
    this.ctx.acceptWebSocket(server);
    shard.connect(this.#clientOf(server), hello);
    const headers = hello.protocol ? { "sec-websocket-protocol": hello.protocol } : undefined;
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (!this.#isFeed(socket)) await this.#shard?.receive(this.#clientOf(socket), data);
    else if (typeof data === "string") this.#shard?.feedReceived(this.#feedOf(socket), data);
  }

  override webSocketClose(socket: WebSocket): void {
    // A hibernating socket does not answer the other end's close by itself.
    socket.close();
    this.#closed(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#closed(socket);
  }

  override alarm(): void {
    this.#shard?.wake();
  }

  #closed(socket: WebSocket): void {
    if (this.#isFeed(socket)) this.#shard?.feedClosed(this.#feedOf(socket));
    else this.#shard?.disconnect(this.#clientOf(socket));
  }

  #shardOf(hive: string): Shard {
    this.#shard ??= new Shard({
      hive,
      sidecar: gatewayOf(this.env).sidecar(hive),
      clock: platformClock,
      uuid: () => crypto.randomUUID(),
      requestFeed: () => {
        const object = this.env.HIVE.get(this.env.HIVE.idFromName(hive));
        object.dial(hive, this.ctx.id.toString()).catch((error: unknown) => log("feed request", error));
      },
      wakeAfter: (delayMs) => void this.ctx.storage.setAlarm(Date.now() + delayMs),
      log,
    });
    return this.#shard;
  }

  #isFeed(socket: WebSocket): boolean {
    return this.ctx.getTags(socket).includes(FEED);
  }

  #clientOf(socket: WebSocket): ClientSocket {
    return remembered(this.#clients, socket, () => ({
      send: (text) => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
      save: (state) => socket.serializeAttachment(state),
      backlogBytes: () =>
        "bufferedAmount" in socket && typeof socket.bufferedAmount === "number"
          ? socket.bufferedAmount
          : null,
    }));
  }

  #feedOf(socket: WebSocket): FeedSocket {
    return remembered(this.#feeds, socket, () => ({
      send: (text) => socket.send(text),
      close: () => socket.close(1000, "replaced"),
    }));
  }
}

function remembered<T>(known: WeakMap<WebSocket, T>, socket: WebSocket, make: () => T): T {
  const made = known.get(socket) ?? make();
  known.set(socket, made);
  return made;
}
