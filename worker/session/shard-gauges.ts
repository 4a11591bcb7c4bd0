import { Mode } from "../../shared/protocol/client.ts";
import { series } from "../metrics.ts";
import type { Session } from "./session.ts";

/** What is so in a shard now, for metrics. Looks at every session: for now and then. */
export function shardGauges(sessions: Iterable<Session>, groups: number): Map<string, number> {
  const byMode = new Map<Mode, number>(Mode.options.map((mode) => [mode, 0]));
  let slowed = 0;
  let unreadBytes = 0;
  for (const { state, pace, socket } of sessions) {
    if (state.kind === "stream") byMode.set(state.mode, (byMode.get(state.mode) ?? 0) + 1);
    if (pace.slower > 0) slowed++;
    unreadBytes += pace.unreadBytes(socket.backlogBytes());
  }
  return new Map([
    ...[...byMode].map(([mode, count]) => [series("sessions", { mode }), count] as const),
    [series("slowed_sessions"), slowed],
    [series("unread_bytes"), unreadBytes],
    [series("groups"), groups],
  ]);
}
