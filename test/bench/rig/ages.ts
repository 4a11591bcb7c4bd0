/** How old changes are when they come, from the moments that stamped agents carry. */
const STAMP = '"throughput":1';
/** Milliseconds since the epoch have so many digits before the point; no real throughput does. */
const WHOLE_DIGITS = 13;

export class Ages {
  #ages: number[] | null = null;

  begin(): void {
    this.#ages = [];
  }

  /** In milliseconds, of every stamped change that came to any client. */
  end(): number[] {
    const ages = this.#ages ?? [];
    this.#ages = null;
    return ages;
  }

  read = (frame: Buffer): void => {
    if (!this.#ages) return;
    const nowMs = performance.timeOrigin + performance.now();
    for (let at = frame.indexOf(STAMP); at !== -1; at = frame.indexOf(STAMP, at + 1)) {
      const from = at + STAMP.length - 1;
      const stamp = /^\d+(?:\.\d+)?/.exec(frame.toString("latin1", from, from + WHOLE_DIGITS + 4));
      if (stamp && Number(stamp[0]) > 1e12) this.#ages.push(nowMs - Number(stamp[0]));
    }
  };
}
