/** Worlds that once showed a fault, and what it was. They are run first, for ever. */
export const PINNED_SEEDS: readonly { seed: number; fault: string }[] = [];
