/** A session of a 2025 client: what it can do, what it has under way, and the streams to it. Nothing upstream is its own. */
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Upstream } from "../upstream.ts";
import { Asked } from "./asked.ts";
import { Channel } from "./channel.ts";
import { type EventBudget, EventLog, parseEventId } from "./event-log.ts";
import type { KeepAlive } from "./event-stream.ts";
import type { RequestId } from "./json-rpc.ts";
import { PRIMED_SINCE } from "./revisions.ts";

/** What a client said of itself when it opened the session, and to whom it did. */
export type SessionFacts = {
  id: string;
  /** Whose it is: to anybody else it does not exist. */
  client: string;
  /** The server that it is for; null: all of them. */
  server: string | null;
  version: string;
  capabilities: Record<string, unknown>;
  clientInfo: Record<string, unknown>;
};

export type SessionPorts = { clock: Clock; pulse: KeepAlive; budget: EventBudget };

/** The channel of what belongs to no request. */
const STANDALONE = "all";

export class Session {
  readonly facts: SessionFacts;
  readonly asked: Asked;
  /** As the client set it; null: it left that to the server. */
  logLevel: string | null = null;
  usedMs: number;
  readonly #ports: SessionPorts;
  readonly #log: EventLog;
  readonly #channels = new Map<string, Channel>();
  readonly #calls = new Map<RequestId, AbortController>();
  /** What to stop when the session ends, by name: subscriptions, and the listener of its stream. */
  readonly #kept = new Map<string, () => void>();
  #streams = 0;
  #opened = 0;
  #hasEnded = false;
  /** What it was opened to, while that is not there any more: see `leave`. */
  #leaving: { upstream: Upstream; end: () => void } | null = null;

  constructor(facts: SessionFacts, ports: SessionPorts) {
    this.facts = facts;
    this.#ports = ports;
    this.asked = new Asked(ports.clock);
    this.#log = new EventLog(ports.budget);
    this.usedMs = ports.clock.now();
  }

  /** Something is under way, or somebody reads: it is not idle. */
  get isBusy(): boolean {
    return this.#streams > 0 || this.#calls.size > 0;
  }

  /** The server that is there no more, and of which something is under way still; null: it is a session like any other. */
  get leaving(): Upstream | null {
    return this.#leaving?.upstream ?? null;
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  /** `stop` is called when it is stopped by this name, or the session ends: at once where either was the case before. */
  keep(name: string, stop: () => void): void {
    if (this.#hasEnded || this.#kept.has(name)) stop();
    else this.#kept.set(name, stop);
  }

  stop(name: string): void {
    const stop = this.#kept.get(name);
    this.#kept.delete(name);
    stop?.();
  }

  /** The stream for what belongs to no request. */
  get standalone(): Channel {
    return this.#channels.get(STANDALONE) ?? this.#addChannel(STANDALONE);
  }

  openChannel(): Channel {
    for (const [name, channel] of this.#channels)
      if (channel.isOver && !this.#log.has(name)) this.#channels.delete(name);
    return this.#addChannel(`r${++this.#opened}`);
  }

  /** What came after this event on its own stream, and what is still to come; null: it is not known any more. */
  resume(lastEventId: string): ReadableStream<Uint8Array> | null {
    const place = parseEventId(lastEventId);
    return (place && this.#channels.get(place.channel)?.open(place.seq)) ?? null;
  }

  /** Runs a request of the client, which it may cancel by its id. @throws HivegateError `overloaded`, `invalid_request` */
  begin(id: RequestId): AbortController {
    if (this.#calls.size >= LIMITS.mcpSessionCalls) throw new HivegateError("overloaded");
    if (this.#calls.has(id))
      throw new HivegateError("invalid_request", "id: a request under way has this id.");
    const controller = new AbortController();
    this.#calls.set(id, controller);
    return controller;
  }

  done(id: RequestId): void {
    this.#calls.delete(id);
    this.usedMs = this.#ports.clock.now();
    if (this.#calls.size === 0) this.#leaving?.end();
  }

  cancel(id: unknown): void {
    if (typeof id !== "string" && typeof id !== "number") return;
    this.#calls.get(id)?.abort(new HivegateError("invalid_request", "The client cancelled the request."));
  }

  /** There is no such server any more: nothing new is heard, and `end` is called when nothing is under way. */
  leave(upstream: Upstream, end: () => void): void {
    this.#leaving = { upstream, end };
    this.#stopAll();
    this.standalone.end();
    if (this.#calls.size === 0) end();
  }

  end(): void {
    this.#hasEnded = true;
    for (const controller of this.#calls.values()) controller.abort(new HivegateError("idle"));
    this.#stopAll();
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
    this.#log.clear();
  }

  #stopAll(): void {
    for (const name of [...this.#kept.keys()]) this.stop(name);
  }

  #addChannel(name: string): Channel {
    const { pulse, clock } = this.#ports;
    const channel = new Channel({
      name,
      client: this.facts.client,
      log: this.#log,
      pulse,
      isPrimed: this.facts.version >= PRIMED_SINCE,
      onStream: (by) => {
        this.#streams += by;
        this.usedMs = clock.now();
      },
    });
    // What is said to a session that is over is not kept for anybody.
    if (this.#hasEnded) channel.end();
    else this.#channels.set(name, channel);
    return channel;
  }
}
