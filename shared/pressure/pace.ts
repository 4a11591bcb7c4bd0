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
  /** Probes outstanding; above it every second one is forgotten, so that answers tell less exactly. */
  probes: number;
};

type Probe = { id: string; sentBytes: number; atMs: number };

export class Pace {
  readonly #limits: PaceLimits;
  #probes: Probe[] = [];
  /** With what is free. */
  #sentBytes = 0;
  /** Bytes that may be sent before somebody has to look how far the reader is. */
  #freeBytes = 0;
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
    return buffered ?? this.#sent - this.#readBytes;
  }

  /** Whether it is time to send a probe. */
  sent(bytes: number): boolean {
    const paidBytes = Math.min(bytes, this.#freeBytes);
    this.#freeBytes -= paidBytes;
    this.#sentBytes += bytes - paidBytes;
    if (bytes > this.#largestBytes) this.#largestBytes = bytes;
    return this.#sent - this.#probedBytes >= this.#limits.probeEveryBytes;
  }

  /** Whether something may be sent without a look at how far the reader is. */
  get isFree(): boolean {
    return this.#freeBytes > 0;
  }

  /** Counts what is sent without such a look. False: it is too much for that. Most of what is sent goes this way. */
  spend(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  /** After a look: as much is free as neither makes the reader late nor calls for a probe. */
  #allow(buffered: number | null): void {
    const { lateBytes, probeEveryBytes } = this.#limits;
    const sentBytes = this.#sent;
    const untilLate = lateBytes - this.unreadBytes(buffered);
    const untilProbe = probeEveryBytes - (sentBytes - this.#probedBytes);
    this.#freeBytes = Math.max(0, Math.floor(Math.min(untilLate, untilProbe)));
    this.#sentBytes = sentBytes + this.#freeBytes;
  }

  get #sent(): number {
    return this.#sentBytes - this.#freeBytes;
  }

  probed(id: string, nowMs: number): void {
    this.#probes.push({ id, sentBytes: this.#sent, atMs: nowMs });
    this.#probedBytes = this.#sent;
    if (this.#probes.length > this.#limits.probes) this.#probes = this.#probes.filter((_, i) => i % 2 === 0);
  }

  /** Whether a probe has not been answered yet. */
  get owesAnswer(): boolean {
    return this.#probes.length > 0;
  }

  /** How much is unread is not known any more: too much, until a probe is answered. */
  suspect(): void {
    this.#sentBytes += this.#limits.lateBytes + 1;
  }

  /** False: an id that is not outstanding says nothing. */
  acknowledged(id: string, nowMs: number): boolean {
    const place = this.#probes.findIndex((probe) => probe.id === id);
    const probe = this.#probes[place];
    if (!probe) return false;
    this.#probes.splice(0, place + 1);
    this.#readBytes = probe.sentBytes;
    this.latencyMs = Math.max(0, nowMs - probe.atMs);
    this.#progressMs = nowMs;
    return true;
  }

  /** For a reader that cannot say how far it is: taken to read so much in a second. */
  assume(bytesPerSecond: number, nowMs: number): void {
    const sinceMs = Math.max(0, nowMs - this.#progressMs);
    this.#readBytes = Math.min(this.#sent, this.#readBytes + (sinceMs / 1000) * bytesPerSecond);
    this.#progressMs = nowMs;
  }

  isLate(buffered: number | null): boolean {
    return this.unreadBytes(buffered) > this.#limits.lateBytes;
  }

  isLost(buffered: number | null, nowMs: number): boolean {
    const { lateBytes, lostBytes, lostAfterMs } = this.#limits;
    const unread = this.unreadBytes(buffered);
    if (unread > lostBytes + this.#largestBytes) return true;
    return buffered === null && unread > lateBytes && this.#late && nowMs - this.#progressMs > lostAfterMs;
  }

  /** Whether something that can wait may be sent now. */
  hasRoom(buffered: number | null, nowMs: number): boolean {
    const late = this.isLate(buffered);
    if (late) this.skipped++;
    if (late !== this.#late) {
      this.#late = late;
      this.#sinceMs = nowMs;
      if (late) this.#progressMs = nowMs;
    }
    this.#allow(buffered);
    return !late;
  }

  /** Slower or faster by one step, when it is time: call it after `hasRoom`. */
  step(nowMs: number): void {
    const { slowerAfterMs, fasterAfterMs, steps } = this.#limits;
    const forMs = nowMs - this.#sinceMs;
    const before = this.slower;
    if (this.#late && forMs >= slowerAfterMs) this.slower = Math.min(steps, before + 1);
    if (!this.#late && forMs >= fasterAfterMs) this.slower = Math.max(0, before - 1);
    if (this.slower !== before) this.#sinceMs = nowMs;
  }
}
