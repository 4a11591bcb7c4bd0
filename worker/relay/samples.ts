import { series } from "../metrics.ts";
import type { RelayFigures } from "./figures.ts";

/** What happens on the relay of one shard, for metrics. */
export function* relaySamples(figures: RelayFigures): Generator<readonly [string, number], void, void> {
  for (const mode of ["shared", "dedicated"] as const)
    yield [series("relay_sessions", { mode }), figures[mode]];
  const traffic = { to_orchestrator: figures.toOrchestrator, to_client: figures.toClients };
  for (const [direction, { messages, bytes }] of Object.entries(traffic)) {
    yield [series("relay_messages_total", { direction }), messages];
    yield [series("relay_bytes_total", { direction }), bytes];
  }
  for (const [code, count] of Object.entries(figures.refused))
    yield [series("relay_refused_messages_total", { code }), count];
  for (const [code, count] of Object.entries(figures.ended))
    yield [series("relay_sessions_ended_total", { code }), count];
  yield [series("relay_pending_requests"), figures.pending];
  yield [series("relay_held_messages"), figures.held];
  yield [series("relay_held_bytes"), figures.heldBytes];
  yield [series("relay_link_up"), Number(figures.linkUp)];
  yield [series("relay_given_up_total"), figures.givenUp];
  yield [series("relay_dropped_total"), figures.dropped];
  yield [series("relay_slowed_total"), figures.slowed];
  yield [series("relay_link_dials_total"), figures.dials];
  yield [series("relay_link_failed_dials_total"), figures.failedDials];
  yield [series("relay_link_resets_total"), figures.resets];
}
