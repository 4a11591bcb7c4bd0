import type { Circuit } from "../protocol/sidecar.ts";

/** A circuit's state as a number, so that alert rules can compare it. */
export const CIRCUIT_LEVELS = { closed: 0, half_open: 1, open: 2 } as const satisfies Record<
  Circuit["state"],
  number
>;
