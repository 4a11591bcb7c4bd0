/**
 * The object that a Shard lives in, as the hosts do it: sockets, their attachments and the alarm outlive its
 * memory when it hibernates, and nothing but the alarm does when it is lost.
 */
import type { Clock } from "../../shared/clock.ts";
import { HEARTBEAT, HEARTBEAT_ACK } from "../../shared/protocol/heartbeat.ts";
import { readFeedMessage } from "../../worker/hive/feed.ts";
import type { FeedSocket } from "../../worker/session/feed-link.ts";
import type { Hello, SessionState } from "../../worker/session/session.ts";
import { type Refusal, Shard } from "../../worker/session/shard.ts";
import { SidecarClient } from "../../worker/sidecar-client.ts";
import { HeldSocket } from "./held-socket.ts";
import { OwnClock } from "./own-clock.ts";
import type { Random } from "./random.ts";
import type { Tokens } from "./tokens.ts";
import type { End } from "./wire.ts";

export type ShardHostPorts = {
  clock: Clock;
  random: Random;
  tokens: Tokens;
  /** Objects that hibernate, or a process that says how much of a socket's data has not gone out. */
  platform: "cloudflare" | "deno";
  requestFeed(shard: ShardHost): void;
  log(message: string, error: unknown): void;
  /** A frame is on its way to the client whose session this is. */
  sent(state: SessionState, text: string): void;
  wrong(what: string): void;
};

type Life = { shard: Shard; clock: OwnClock };

/** A feed as the platform holds it. */
type HeldFeed = { socket: FeedSocket; caughtUp: boolean };

export class ShardHost {
  readonly name: string;
  readonly #ports: ShardHostPorts;
  readonly #clients = new Map<End, HeldSocket>();
  readonly #feeds = new Map<End, HeldFeed>();
  #life: Life | null = null;
  #cancelAlarm: () => void = () => {};

  constructor(name: string, ports: ShardHostPorts) {
    this.name = name;
    this.#ports = ports;
  }

  get timers(): number {
    return this.#life?.clock.waiting ?? 0;
  }

  get sockets(): number {
    return this.#clients.size + this.#feeds.size;
  }

  connect(end: End, hello: Hello): Refusal | null {
    const { shard } = this.#wake();
    const refusal = shard.refusal(hello.identity.subject);
    if (refusal) return refusal;
    const { platform, sent, wrong } = this.#ports;
    const tellsBacklog = platform === "deno";
    const held = new HeldSocket(end, { tellsBacklog, sent, wrong, life: () => this.#life });
    this.#clients.set(end, held);
    shard.connect(held, hello);
    end.listen({
      message: (data) => this.#received(held, String(data)),
      closed: () => {
        this.#clients.delete(end);
        this.#wake().shard.disconnect(held);
      },
    });
    return null;
  }

  acceptFeed(end: End): void {
    const feed: FeedSocket = {
      send: (text) => end.send(text),
      close: () => end.close(1000, "replaced"),
      save: (caughtUp) => {
        held.caughtUp = caughtUp;
      },
    };
    const held: HeldFeed = { socket: feed, caughtUp: false };
    const { shard } = this.#wake();
    this.#feeds.set(end, held);
    end.listen({
      message: (data) => this.#wake().shard.feedReceived(feed, readFeedMessage(String(data))),
      closed: () => {
        const life = this.#wake();
        this.#feeds.delete(end);
        life.shard.feedClosed(feed);
      },
    });
    shard.feedConnected(feed);
  }

  /** Nobody has anything to do: its memory goes. False: it is busy. */
  hibernate(): boolean {
    if (this.#ports.platform !== "cloudflare" || !this.#life || this.timers > 0) return false;
    this.#life = null;
    return true;
  }

  /** Its memory and all its sockets go at once. */
  lose(breaks: (end: End) => void): void {
    this.#life?.clock.end();
    this.#life = null;
    for (const end of [...this.#clients.keys(), ...this.#feeds.keys()]) {
      end.abandon();
      breaks(end);
    }
    this.#clients.clear();
    this.#feeds.clear();
  }

  #received(held: HeldSocket, text: string): void {
    const { clock, platform } = this.#ports;
    if (platform === "cloudflare" && text === HEARTBEAT) held.answersHeartbeat(clock.now(), HEARTBEAT_ACK);
    else void this.#wake().shard.receive(held, text);
  }

  /** The object in memory; its sockets are given to it again when it had been evicted. */
  #wake(): Life {
    if (this.#life) return this.#life;
    const life = this.#begin();
    this.#life = life;
    for (const held of this.#clients.values()) life.shard.restore(held, held.state);
    for (const feed of this.#feeds.values()) {
      if (this.#clients.size > 0) life.shard.feedRestored(feed.socket, feed.caughtUp);
      else feed.socket.close();
    }
    return life;
  }

  #begin(): Life {
    const { random, tokens, log, requestFeed } = this.#ports;
    const clock = new OwnClock(this.#ports.clock);
    const sidecar = new SidecarClient({
      ...{ hive: "default", url: "http://sidecar", clock, nonce: () => random.uuid() },
      ...{ key: { kid: "k", mac: () => new Uint8Array(32) }, sha256: () => new Uint8Array(32) },
      fetch: () => Promise.reject(new Error("no client asks about tasks here")),
    });
    const shard = new Shard({
      ...{ hive: "default", sidecar, clock, log, uuid: () => random.uuid() },
      deflate: (text) => new TextEncoder().encode(text),
      verify: async (token) => tokens.verify(token, clock.now()),
      requestFeed: () => requestFeed(this),
      wakeAt: (atMs) => this.#setAlarm(atMs),
    });
    return { shard, clock };
  }

  #setAlarm(atMs: number): void {
    const { clock } = this.#ports;
    this.#cancelAlarm();
    this.#cancelAlarm = clock.after(atMs - clock.now(), () => {
      if (this.#life || this.#clients.size > 0) this.#wake().shard.wake();
    });
  }
}
