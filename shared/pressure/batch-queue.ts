/**
 * Brings what comes singly away in batches, in the background, within limits. On Workers what a request does in the
 * background may end with it, unfinished: so only plain data is shared here, and whatever one request left lying the
 * next one takes up.
 */

/** Goes on with `work` after the answer was given, for as long as the platform lets it. */
export type Defer = (work: Promise<void>) => void;

/** `lost`: how many could not be kept since the last batch. A batch that comes twice has the same `id`. */
export type Batch<T> = { id: string; items: T[]; lost: number };

export type BatchPorts<T> = {
  /** @throws whatever keeps the batch from being taken: it comes once more then */
  deliver(batch: Batch<T>): Promise<void>;
  pause(delayMs: number): Promise<void>;
  now(): number;
  uuid(): string;
  failed(error: unknown): void;
};

/** How long an item waits for others, how many do not wait, and how many there may be in all. */
export type BatchLimits = { delayMs: number; batch: number; held: number };

/** What is late by so much was lost with its request. */
const OVERDUE_MS = 5_000;

/** Until then it is taken to be under way, if nothing is heard of it; after that it is sent again. */
type Sealed<T> = { batch: Batch<T>; underWayUntilMs: number };

export class BatchQueue<T> {
  readonly #ports: BatchPorts<T>;
  readonly #limits: BatchLimits;
  #items: T[] = [];
  #lost = 0;
  readonly #batches = new Set<Sealed<T>>();
  #sealedItems = 0;
  /** When somebody is going to flush; 0: nobody is. */
  #flushAtMs = 0;

  constructor(limits: BatchLimits, ports: BatchPorts<T>) {
    this.#limits = limits;
    this.#ports = ports;
  }

  /** Never throws, and never waits. What finds no room is counted as lost. */
  add(item: T, defer: Defer): void {
    if (this.#items.length + this.#sealedItems < this.#limits.held) this.#items.push(item);
    else this.#lost++;
    this.#see(defer);
  }

  /** One that was not even to be kept. */
  addLost(defer: Defer): void {
    this.#lost++;
    this.#see(defer);
  }

  /** Brings away what is there, and once more what failed before. */
  async flush(): Promise<void> {
    this.#seal();
    for (const sealed of this.#batches) {
      const nowMs = this.#ports.now();
      if (sealed.underWayUntilMs > nowMs) continue;
      sealed.underWayUntilMs = nowMs + OVERDUE_MS;
      if (!(await this.#isDelivered(sealed))) return;
    }
  }

  #see(defer: Defer): void {
    const nowMs = this.#ports.now();
    if (this.#items.length >= this.#limits.batch) defer(this.flush());
    else if (this.#flushAtMs === 0 || nowMs > this.#flushAtMs + OVERDUE_MS) {
      this.#flushAtMs = nowMs + this.#limits.delayMs;
      defer(this.#flushLater());
    }
  }

  async #flushLater(): Promise<void> {
    await this.#ports.pause(this.#limits.delayMs);
    this.#flushAtMs = 0;
    await this.flush();
  }

  #seal(): void {
    if (this.#items.length === 0 && (this.#lost === 0 || this.#batches.size > 0)) return;
    const batch = { id: this.#ports.uuid(), items: this.#items, lost: this.#lost };
    this.#batches.add({ batch, underWayUntilMs: 0 });
    this.#sealedItems += batch.items.length;
    this.#items = [];
    this.#lost = 0;
  }

  async #isDelivered(sealed: Sealed<T>): Promise<boolean> {
    try {
      await this.#ports.deliver(sealed.batch);
      if (this.#batches.delete(sealed)) this.#sealedItems -= sealed.batch.items.length;
      return true;
    } catch (error) {
      this.#ports.failed(error);
      sealed.underWayUntilMs = 0;
      return false;
    }
  }
}
