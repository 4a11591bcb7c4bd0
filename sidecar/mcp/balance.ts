/** How a server stands when one of several has to be chosen. */
export type Standing = {
  /** Its last call failed. */
  isFailing: boolean;
  /** Until its circuit lets a call through; 0: it does. */
  retryInMs: number;
  /** Calls that wait for its answer. */
  pending: number;
};

/**
 * Servers of one pool in the order in which to try them: those that answer, then those that last failed, then
 * those whose circuit is open; among these the one with the fewest calls. Those that are equally good take turns.
 */
export function inOrder<Server extends Standing>(servers: readonly Server[], turn: number): Server[] {
  const ordered = servers.toSorted(compare);
  const best = ordered.filter((server) => ordered[0] && compare(server, ordered[0]) === 0);
  const first = best.length > 0 ? turn % best.length : 0;
  return [...best.slice(first), ...best.slice(0, first), ...ordered.slice(best.length)];
}

const compare = (a: Standing, b: Standing): number => rankOf(a) - rankOf(b) || a.pending - b.pending;

function rankOf({ isFailing, retryInMs }: Standing): 0 | 1 | 2 {
  if (retryInMs > 0) return 2;
  return isFailing ? 1 : 0;
}
