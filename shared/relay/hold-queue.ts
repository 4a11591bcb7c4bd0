/**
 * What cannot be sent yet, bounded by bytes and by age: urgent items first, each class in its order. What is refused
 * or expires is handed back, so that whoever sent it can be told.
 */
export type HoldLimits = {
  /** Of each class, so that ordinary items never keep an urgent one out. */
  bytes: number;
  ageMs: number;
};

/** What many queues hold together: above the limit none of them takes more. */
export type HoldTotal = { bytes: number; readonly limitBytes: number };

type Held<T> = { item: T; bytes: number; sinceMs: number };

export class HoldQueue<T> {
  readonly #limits: HoldLimits;
  readonly #total: HoldTotal;
  readonly #urgent: HeldClass<T>;
  readonly #ordinary: HeldClass<T>;

  constructor(limits: HoldLimits, total: HoldTotal = { bytes: 0, limitBytes: Number.POSITIVE_INFINITY }) {
    this.#limits = limits;
    this.#total = total;
    this.#urgent = new HeldClass(total);
    this.#ordinary = new HeldClass(total);
  }

  get size(): number {
    return this.#urgent.size + this.#ordinary.size;
  }

  get bytes(): number {
    return this.#urgent.bytes + this.#ordinary.bytes;
  }

  /** False: there is no room for it. An empty class takes one item of any size, if the total allows it. */
  hold(item: T, options: { bytes: number; urgent: boolean; nowMs: number }): boolean {
    const { bytes, urgent, nowMs } = options;
    const held = urgent ? this.#urgent : this.#ordinary;
    if (held.size > 0 && held.bytes + bytes > this.#limits.bytes) return false;
    if (this.#total.bytes + bytes > this.#total.limitBytes) return false;
    held.push({ item, bytes, sinceMs: nowMs });
    return true;
  }

  /** What goes next; it stays until `shift`. */
  peek(): T | undefined {
    return (this.#urgent.first ?? this.#ordinary.first)?.item;
  }

  shift(): T | undefined {
    return (this.#urgent.shift() ?? this.#ordinary.shift())?.item;
  }

  /** When the next item expires; null when none is held. */
  get expiresMs(): number | null {
    const first = [this.#urgent.first, this.#ordinary.first].flatMap((held) => (held ? [held.sinceMs] : []));
    return first.length === 0 ? null : Math.min(...first) + this.#limits.ageMs;
  }

  /** Takes out what was held for too long. */
  expired(nowMs: number): T[] {
    const untilMs = nowMs - this.#limits.ageMs;
    return [...this.#urgent.olderThan(untilMs), ...this.#ordinary.olderThan(untilMs)];
  }

  /** Takes out what `isWanted`, in the order in which it would have gone; everything unless said. */
  takeOut(isWanted: (item: T) => boolean = () => true): T[] {
    return [...this.#urgent.takeOut(isWanted), ...this.#ordinary.takeOut(isWanted)];
  }
}

/** Taken from the front often, from the middle seldom. */
class HeldClass<T> {
  readonly #total: HoldTotal;
  #items: Held<T>[] = [];
  #start = 0;
  bytes = 0;

  constructor(total: HoldTotal) {
    this.#total = total;
  }

  get size(): number {
    return this.#items.length - this.#start;
  }

  get first(): Held<T> | undefined {
    return this.#items[this.#start];
  }

  push(held: Held<T>): void {
    this.#items.push(held);
    this.#add(held.bytes);
  }

  shift(): Held<T> | undefined {
    const first = this.#items[this.#start];
    if (!first) return undefined;
    this.#start++;
    this.#add(-first.bytes);
    // What was taken is let go of now and then: array.shift() would move all the others each time.
    if (this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }

  olderThan(untilMs: number): T[] {
    const old: T[] = [];
    while (this.first && this.first.sinceMs <= untilMs) {
      const held = this.shift();
      if (held) old.push(held.item);
    }
    return old;
  }

  takeOut(isWanted: (item: T) => boolean): T[] {
    const present = this.#items.slice(this.#start);
    const taken = present.filter(({ item }) => isWanted(item));
    this.#items = present.filter(({ item }) => !isWanted(item));
    this.#start = 0;
    for (const { bytes } of taken) this.#add(-bytes);
    return taken.map(({ item }) => item);
  }

  #add(bytes: number): void {
    this.bytes += bytes;
    this.#total.bytes += bytes;
  }
}
