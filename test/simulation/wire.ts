/**
 * Connections as networks give them: both ways in order and with latency, but they stall, and they break with
 * things still on their way; then each end learns of it at a time of its own.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Random } from "./random.ts";

export type Data = string | Uint8Array;
export type Listener = {
  message(data: Data): void;
  /** Comes once, whoever closed. */
  closed(code: number, reason: string): void;
};

type Item = { data: Data } | { code: number; reason: string };

const BROKEN = 1006;

/** One direction. */
class Lane {
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #deliver: (item: Item) => void;
  readonly #items: { item: Item; atMs: number }[] = [];
  #lastMs = 0;
  #holds = 0;
  #isCut = false;
  #cancel: (() => void) | null = null;
  unreadBytes = 0;

  constructor(clock: Clock, latencyMs: () => number, deliver: (item: Item) => void) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#deliver = deliver;
  }

  send(item: Item): void {
    if (this.#isCut) return;
    this.#lastMs = Math.max(this.#lastMs, this.#clock.now() + this.#latencyMs());
    this.#items.push({ item, atMs: this.#lastMs });
    this.unreadBytes += bytesOf(item);
    this.#schedule();
  }

  hold(): void {
    this.#holds++;
    this.#cancel?.();
    this.#cancel = null;
  }

  release(): void {
    this.#holds = Math.max(0, this.#holds - 1);
    this.#schedule();
  }

  releaseAll(): void {
    this.#holds = 0;
    this.#schedule();
  }

  cut(): void {
    this.#isCut = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#items.length = 0;
  }

  #schedule(): void {
    const next = this.#items[0];
    if (!next || this.#holds > 0 || this.#cancel) return;
    this.#cancel = this.#clock.after(next.atMs - this.#clock.now(), () => {
      this.#cancel = null;
      this.#items.shift();
      this.unreadBytes -= bytesOf(next.item);
      this.#deliver(next.item);
      this.#schedule();
    });
  }
}

const bytesOf = (item: Item): number => ("data" in item ? item.data.length : 0);

/** Hears of what happens, if anybody wants to know. */
export type Tell = (line: () => string) => void;

const inWords = (item: Item): string => {
  if ("code" in item) return `closed ${item.code}`;
  return typeof item.data === "string" ? item.data : new TextDecoder().decode(item.data);
};

/** One side's socket. What comes before somebody listens waits. */
export class End {
  isOpen = true;
  #out: Lane | null = null;
  #listener: Listener | null = null;
  #waiting: Item[] = [];
  #saidClose = false;
  /** It will hear of nothing any more. */
  isOver = false;

  /** Bytes sent that have not arrived. */
  get unreadBytes(): number {
    return this.#out?.unreadBytes ?? 0;
  }

  into(out: Lane): void {
    this.#out = out;
  }

  /** A later listener takes the place of an earlier one. */
  listen(listener: Listener): void {
    this.#listener = listener;
    for (const item of this.#waiting.splice(0)) this.take(item);
  }

  /** Throws when this end is closed. */
  send(data: Data): void {
    if (!this.isOpen) throw new Error("the socket is closed");
    this.#out?.send({ data });
  }

  close(code = 1000, reason = ""): void {
    this.isOpen = false;
    if (this.#saidClose) return;
    this.#saidClose = true;
    this.#out?.send({ code, reason });
  }

  take(item: Item): void {
    if (!this.#listener) this.#waiting.push(item);
    else if ("code" in item) this.#closed(item);
    else if (this.isOpen) this.#listener.message(item.data);
    if ("code" in item) this.isOpen = false;
  }

  /** The process behind this end is gone. */
  abandon(): void {
    this.isOpen = false;
    this.isOver = true;
  }

  #closed({ code, reason }: { code: number; reason: string }): void {
    if (this.isOver) return;
    this.close(code, reason);
    this.isOver = true;
    this.#listener?.closed(code, reason);
  }
}

export class Wire {
  readonly near = new End();
  readonly far = new End();
  readonly name: string;
  readonly #clock: Clock;
  readonly #toFar: Lane;
  readonly #toNear: Lane;
  isBroken = false;

  constructor(name: string, options: { clock: Clock; latencyMs(): number; tell: Tell }) {
    const { clock, latencyMs, tell } = options;
    this.name = name;
    this.#clock = clock;
    this.#toFar = new Lane(clock, latencyMs, (item) => {
      tell(() => `${name} → ${inWords(item)}`);
      this.far.take(item);
    });
    this.#toNear = new Lane(clock, latencyMs, (item) => {
      tell(() => `${name} ← ${inWords(item)}`);
      this.near.take(item);
    });
    this.near.into(this.#toFar);
    this.far.into(this.#toNear);
  }

  get isOver(): boolean {
    return this.near.isOver && this.far.isOver;
  }

  /** It never came about. */
  abandon(): void {
    this.near.abandon();
    this.far.abandon();
  }

  /** Nothing arrives there until it is released. */
  hold(to: "near" | "far"): void {
    this.#lane(to).hold();
  }

  release(to: "near" | "far"): void {
    this.#lane(to).release();
  }

  /** What is on its way is lost, and each end hears of it after so long. */
  break(nearLearnsMs: number, farLearnsMs: number): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.#toFar.cut();
    this.#toNear.cut();
    this.#clock.after(nearLearnsMs, () => this.near.take({ code: BROKEN, reason: "" }));
    this.#clock.after(farLearnsMs, () => this.far.take({ code: BROKEN, reason: "" }));
  }

  /** Whatever stalls flows again, and whoever is at the end of a broken one learns of it now. */
  heal(): void {
    this.#toFar.releaseAll();
    this.#toNear.releaseAll();
    if (!this.isBroken) return;
    this.near.take({ code: BROKEN, reason: "" });
    this.far.take({ code: BROKEN, reason: "" });
  }

  #lane(to: "near" | "far"): Lane {
    return to === "near" ? this.#toNear : this.#toFar;
  }
}

/** All connections there are. */
export class Net {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tell: Tell;
  readonly #wires = new Set<Wire>();

  /** `tell` hears of all that arrives. */
  constructor(clock: Clock, random: Random, tell: Tell) {
    this.#clock = clock;
    this.#random = random;
    this.#tell = tell;
  }

  connect(name: string): Wire {
    const base = this.#random.between(1, 30);
    const wire = new Wire(name, {
      clock: this.#clock,
      latencyMs: () => base + this.#random.pauseMs(40),
      tell: this.#tell,
    });
    this.#wires.add(wire);
    return wire;
  }

  /** Those that something may still come through. */
  wires(): Wire[] {
    for (const wire of this.#wires) if (wire.isOver) this.#wires.delete(wire);
    return [...this.#wires];
  }

  /** What a remote call takes one way. */
  delayMs(): number {
    return 1 + this.#random.pauseMs(60);
  }

  heal(): void {
    for (const wire of this.wires()) wire.heal();
  }
}
