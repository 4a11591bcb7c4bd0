/**
 * How far a reader is behind. What it was sent counts as unread until it says, by the id of a probe sent
 * after it, that it has read that far; where the runtime tells what it has not yet sent, that is believed
 * instead. A reader that falls back is given less often, and one that falls back too far is given up.
 */
export type PaceLimits = {
  /** Unread bytes above which nothing that can wait is sent. */
  lateBytes: number;
  /** Unread bytes above which a reader is given up: beside the largest piece that it was sent. */
  lostBytes: number;
  /** So is one that has been late for this long without reading anything. */
  lostAfterMs: number;
  /** A probe goes out when so much was sent since the last one. */
  probeEveryBytes: number;
  /** Late for this long: slower by one step, and again. */
  slowerAfterMs: number;
  /** Not late for this long: faster by one step. */
  fasterAfterMs: number;
  steps: number;
};

type Probe = { id: string; sentBytes: number; atMs: number };

export class Pace {
  readonly #limits: PaceLimits;
  readonly #probes: Probe[] = [];
  #sentBytes = 0;
  #readBytes = 0;
  #probedBytes = 0;
  #largestBytes = 0;
  #progressMs: number;
  /** Since when it is late, or, if it is not, since when it is not. */
  #late = false;
  #sinceMs: number;
  /** How many steps slower than asked for. */
  slower = 0;
  latencyMs: number | null = null;
  skipped = 0;

  constructor(limits: PaceLimits, nowMs: number) {
    this.#limits = limits;
    this.#progressMs = nowMs;
    this.#sinceMs = nowMs;
  }

  /** Bytes not known to be read. `buffered` is what the runtime has not sent yet, null where it does not say. */
  unreadBytes(buffered: number | null): number {
    return buffered ?? this.#sentBytes - this.#readBytes;
  }

  /** Whether it is time to send a probe. */
  sent(bytes: number): boolean {
    this.#sentBytes += bytes;
    if (bytes > this.#largestBytes) this.#largestBytes = bytes;
    return this.#sentBytes - this.#probedBytes >= this.#limits.probeEveryBytes;
  }

  probed(id: string, nowMs: number): void {
    this.#probes.push({ id, sentBytes: this.#sentBytes, atMs: nowMs });
    this.#probedBytes = this.#sentBytes;
  }

  /** An id that is not outstanding says nothing. */
  acknowledged(id: string, nowMs: number): void {
    const place = this.#probes.findIndex((probe) => probe.id === id);
    const probe = this.#probes[place];
    if (!probe) return;
    this.#probes.splice(0, place + 1);
    this.#readBytes = probe.sentBytes;
    this.latencyMs = Math.max(0, nowMs - probe.atMs);
    this.#progressMs = nowMs;
  }

  /** The reader has given a sign, and is not one that could give a better one. */
  heard(nowMs: number): void {
    this.#readBytes = this.#sentBytes;
    this.#progressMs = nowMs;
  }

  isLost(buffered: number | null, nowMs: number): boolean {
    const { lateBytes, lostBytes, lostAfterMs } = this.#limits;
    const unread = this.unreadBytes(buffered);
    if (unread > lostBytes + this.#largestBytes) return true;
    return buffered === null && unread > lateBytes && this.#late && nowMs - this.#progressMs > lostAfterMs;
  }

  /** Whether something that can wait may be sent now. */
  hasRoom(buffered: number | null, nowMs: number): boolean {
    const late = this.unreadBytes(buffered) > this.#limits.lateBytes;
    if (late) this.skipped++;
    if (late !== this.#late) {
      this.#late = late;
      this.#sinceMs = nowMs;
      if (late) this.#progressMs = nowMs;
    }
    return !late;
  }

  /** Whether `slower` has changed: call it after `hasRoom`. */
  stepped(nowMs: number): boolean {
    const { slowerAfterMs, fasterAfterMs, steps } = this.#limits;
    const forMs = nowMs - this.#sinceMs;
    const before = this.slower;
    if (this.#late && forMs >= slowerAfterMs) this.slower = Math.min(steps, before + 1);
    if (!this.#late && forMs >= fasterAfterMs) this.slower = Math.max(0, before - 1);
    if (this.slower === before) return false;
    this.#sinceMs = nowMs;
    return true;
  }
}
