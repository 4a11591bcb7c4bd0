/**
 * When which bits of a mask changed last: disjoint masks, each with the offset of its change, oldest first.
 * Bits that change together stay together, so there are only ever a few.
 */
export type Touch = readonly [offset: number, mask: number];

/** `mask` changed at `offset`, which is later than all before. */
export function touched(touches: readonly Touch[], offset: number, mask: number): Touch[] {
  const now: Touch[] = [];
  for (const touch of touches) {
    const left = touch[1] & ~mask;
    if (left !== 0) now.push(left === touch[1] ? touch : [touch[0], left]);
  }
  now.push([offset, mask]);
  return now;
}

/** All bits that changed after `offset`. */
export function touchedSince(touches: readonly Touch[], offset: number): number {
  let mask = 0;
  for (let i = touches.length - 1; i >= 0; i--) {
    const touch = touches[i];
    if (!touch || touch[0] <= offset) break;
    mask |= touch[1];
  }
  return mask;
}
