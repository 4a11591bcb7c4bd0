/** What a Shard lives in: its clients' sockets, a timer for an alarm, and the way to its Hive. */

import { deflateSync } from "node:zlib";
import { platformClock } from "../../../shared/clock.ts";
import { ERRORS } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Gateway } from "../../gateway.ts";
import type { FeedMessage } from "../../hive/feed.ts";
import { audit, log } from "../../log.ts";
import { type Hello, isOpaque } from "../../session/session.ts";
import { type Refusal, Shard } from "../../session/shard.ts";
import { DenoSocket, type OpenSocket } from "./client-socket.ts";
import { dialRelay } from "./dial-relay.ts";

import type { FeedEnd } from "./feed-pair.ts";

/** How long relayed requests may take to be answered when the gateway stops: a part of the time that it has. */
const RELAY_DRAIN_MS = 600;

export type ShardObjectPorts = {
  hive: string;
  gateway: Gateway;
  /** Has the Hive dial this shard. */
  dial(): void;
  /** Nobody is here any more, and nothing will happen. */
  deserted(): void;
};

export class ShardObject {
  readonly #ports: ShardObjectPorts;
  readonly #shard: Shard;
  /** Until they are really gone, with whose they are. */
  readonly #clients = new Map<DenoSocket, string>();
  #cancelAlarm = () => {};

  constructor(ports: ShardObjectPorts) {
    const { hive, gateway, dial } = ports;
    this.#ports = ports;
    this.#shard = new Shard({
      hive,
      sidecar: gateway.sidecar(hive),
      clock: platformClock,
      uuid: () => crypto.randomUUID(),
      deflate: (text) => deflateSync(text),
      verify: (token) => gateway.tokens.verify(token, Date.now()),
      // Not while the shard is still at work.
      requestFeed: () => queueMicrotask(dial),
      wakeAt: (atMs) => this.#setAlarm(atMs),
      log,
      relay: {
        random: Math.random,
        settings: gateway.relay,
        soon: (flush) => queueMicrotask(flush),
        // Other processes have shards of the same names.
        dial: dialRelay(gateway.sidecar(hive), crypto.randomUUID()),
        audit,
      },
      tools: {
        gateway,
        defer: (work) => void work,
      },
    });
  }

  relaySamples(): Map<string, number> {
    return this.#shard.relaySamples();
  }

  /** Counts the sockets that were closed as well: they hold memory for as long as their clients do not read. */
  refusal(subject: string): Refusal | null {
    const refusal = this.#shard.refusal(subject);
    if (refusal) return refusal;
    const own = [...this.#clients.values()].filter((each) => each === subject).length;
    if (own >= LIMITS.sessionsPerSubject) return "subject";
    return this.#clients.size >= LIMITS.sessionsPerShard ? "full" : null;
  }

  /** A client that was not refused. `socket` is open. */
  connect(socket: OpenSocket, hello: Hello): void {
    const received = (data: string | ArrayBuffer) => void this.#shard.receive(client, data);
    const client = new DenoSocket(socket, received, { isOpaque: isOpaque(hello) });
    this.#clients.set(client, hello.identity.subject);
    void client.closed.then(({ code, reason }) => {
      this.#clients.delete(client);
      this.#shard.disconnect(client, code, reason);
    });
    this.#shard.connect(client, hello);
  }

  acceptFeed(feed: FeedEnd<string, FeedMessage>): void {
    feed.listen({
      received: (message) => this.#shard.feedReceived(feed, message),
      closed: () => this.#shard.feedClosed(feed),
    });
    this.#shard.feedConnected(feed);
  }

  /** Sends everybody away; they may come back to whoever takes over. Resolves when the last one has gone. */
  async shutDown(): Promise<void> {
    const { close, advice } = ERRORS.shutting_down;
    await this.#shard.drainRelay(RELAY_DRAIN_MS);
    for (const client of this.#clients.keys()) client.close(close, advice);
    await Promise.all([...this.#clients.keys()].map(({ closed }) => closed));
    this.#shard.closeRelay();
  }

  #setAlarm(atMs: number): void {
    this.#cancelAlarm();
    this.#cancelAlarm = platformClock.after(atMs - Date.now(), () => {
      this.#shard.wake();
      // A shard with clients has set the next alarm; one without them only holds a picture in memory.
      if (this.#clients.size === 0) this.#ports.deserted();
    });
  }
}
