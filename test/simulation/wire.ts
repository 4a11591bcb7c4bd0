/**
 * Connections as networks give them: they stall, and they break with things still on their way; then each end
 * learns of it at a time of its own.
 */
import type { Clock } from "../../shared/clock.ts";
import { type Data, type Item, Lane } from "./lane.ts";

export type Listener = {
  message(data: Data): void;
  /** Comes once, whoever closed. */
  closed(code: number, reason: string): void;
};

/** Hears of what happens, if anybody wants to know. */
export type Tell = (line: () => string) => void;

const BROKEN = 1006;

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

const inWords = (item: Item): string => {
  if ("code" in item) return `closed ${item.code}`;
  return typeof item.data === "string" ? item.data : new TextDecoder().decode(item.data);
};
