/** The Durable Object that a Shard lives in: hibernating sockets, an alarm, and the way to its Hive. */

import { DurableObject } from "cloudflare:workers";
import { deflateSync } from "node:zlib";
import { z } from "zod";
import { platformClock } from "../../../shared/clock.ts";
import { ERRORS } from "../../../shared/errors.ts";
import { HeldPosition } from "../../../shared/protocol/client.ts";
import { HEARTBEAT, HEARTBEAT_ACK } from "../../../shared/protocol/heartbeat.ts";
import { HiveId } from "../../../shared/protocol/ids.ts";
import { readFeedMessage } from "../../hive/feed.ts";
import { audit, log } from "../../log.ts";
import type { FeedSocket } from "../../session/feed-link.ts";
import { type ClientSocket, SessionState } from "../../session/session.ts";
import { Shard } from "../../session/shard.ts";
import { dialRelay } from "./dial-relay.ts";
import { type Env, gatewayOf } from "./env.ts";
import { connectRelayed } from "./relayed-socket.ts";

export const HELLO_HEADER = "hivegate-hello";
const ShardHello = SessionState.pick({
  hive: true,
  kind: true,
  relay: true,
  dialect: true,
  identity: true,
  filters: true,
  mode: true,
  encoding: true,
}).extend({ position: HeldPosition.nullable(), protocol: z.string().nullable() });

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
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT_ACK));
    for (const socket of ctx.getWebSockets()) {
      if (ctx.getTags(socket).includes(FEED)) continue;
      const state = SessionState.safeParse(socket.deserializeAttachment());
      // A session written by an older version that cannot be understood starts over: its client reconnects.
      if (!state.success) socket.close(ERRORS.shutting_down.close, ERRORS.shutting_down.advice);
      else this.#shardOf(state.data.hive).restore(this.#clientOf(socket), state.data);
    }
    for (const socket of ctx.getWebSockets(FEED)) {
      const feed = this.#feedOf(socket);
      if (this.#shard) this.#shard.feedRestored(feed, socket.deserializeAttachment() === true);
      else feed.close();
    }
  }

  /** A socket: from the Hive (`/feed/{hive}`), or a client's. Answers 503 with a `Refusal` when it takes no more. */
  override async fetch(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    if (path.startsWith("/feed/")) return this.#acceptFeed(HiveId.parse(path.slice("/feed/".length)));
    const { hive, protocol, ...hello } = decodeHello(request.headers.get(HELLO_HEADER));
    const shard = this.#shardOf(hive);
    const refusal = shard.refusal(hello.identity.subject);
    if (refusal) return new Response(refusal, { status: 503 });
    const { 0: client, 1: server } = new WebSocketPair();
    if (hello.kind === "relay") connectRelayed(shard, server, hello);
    else {
      this.ctx.acceptWebSocket(server);
      shard.connect(this.#clientOf(server), hello);
    }
    const headers = protocol ? { "sec-websocket-protocol": protocol } : undefined;
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  /** Null: no client has come since this object was made. */
  relaySamples(): Map<string, number> | null {
    return this.#shard?.relaySamples() ?? null;
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (!this.#isFeed(socket)) await this.#shard?.receive(this.#clientOf(socket), data);
    else if (typeof data === "string") this.#shard?.feedReceived(this.#feedOf(socket), readFeedMessage(data));
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

  #acceptFeed(hive: string): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    const shard = this.#shardOf(hive);
    this.ctx.acceptWebSocket(server, [FEED]);
    shard.feedConnected(this.#feedOf(server));
    return new Response(null, { status: 101, webSocket: client });
  }

  #closed(socket: WebSocket): void {
    if (this.#isFeed(socket)) this.#shard?.feedClosed(this.#feedOf(socket));
    else this.#shard?.disconnect(this.#clientOf(socket));
  }

  #shardOf(hive: string): Shard {
    const gateway = gatewayOf(this.env);
    this.#shard ??= new Shard({
      hive,
      sidecar: gateway.sidecar(hive),
      clock: platformClock,
      uuid: () => crypto.randomUUID(),
      deflate: (text) => deflateSync(text),
      verify: (token) => gateway.tokens.verify(token, Date.now()),
      requestFeed: () => {
        const object = this.env.HIVE.get(this.env.HIVE.idFromName(hive));
        object.dial(hive, this.ctx.id.toString()).catch((error: unknown) => log("feed request", error));
      },
      wakeAt: (atMs) => void this.#wakeAt(atMs),
      log,
      relay: {
        random: Math.random,
        settings: gateway.relay,
        // Every message is an event by itself here. What the loop has before its timers goes together: for 64 clients a
        // call and its answer take 34 µs of processor time like this, and 108 one by one.
        soon: (flush) => void setTimeout(flush, 0),
        dial: dialRelay(gateway.sidecar(hive), this.ctx.id.toString()),
        audit,
      },
      tools: {
        gateway,
        defer: (work) => this.ctx.waitUntil(work),
      },
    });
    return this.#shard;
  }

  /** An alarm from before this object lost its memory is kept, if it comes earlier. */
  async #wakeAt(atMs: number): Promise<void> {
    const setMs = await this.ctx.storage.getAlarm();
    if (setMs === null || setMs > atMs) await this.ctx.storage.setAlarm(atMs);
  }

  /** Every feed has been seen, when it was accepted or when this object woke. */
  #isFeed(socket: WebSocket): boolean {
    return this.#feeds.has(socket);
  }

  #clientOf(socket: WebSocket): ClientSocket {
    return remembered(this.#clients, socket, () => ({
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
      save: (state) => socket.serializeAttachment(state),
      // workerd has `bufferedAmount`, but on a socket that hibernates it stays 0 whatever is buffered.
      backlogBytes: () => null,
      heartbeatMs: () => this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
    }));
  }

  #feedOf(socket: WebSocket): FeedSocket {
    return remembered(this.#feeds, socket, () => ({
      send: (text) => socket.send(text),
      close: () => socket.close(1000, "replaced"),
      save: (caughtUp) => socket.serializeAttachment(caughtUp),
    }));
  }
}

function remembered<T>(known: WeakMap<WebSocket, T>, socket: WebSocket, make: () => T): T {
  const made = known.get(socket) ?? make();
  known.set(socket, made);
  return made;
}
