/** Every metric of the gateway. What no object counts is not here: an isolate's own counters cannot be added up. */
import { type Family, type Samples, seriesOf, toText, withLabels } from "../shared/metrics/text.ts";

const METRICS = {
  sessions: gauge("Streaming sessions, by the mode that their clients asked for."),
  slowed_sessions: gauge("Sessions that are given less than they asked for, because they read too slowly."),
  unread_bytes: gauge("What clients were sent and have not read, as far as is known, all together."),
  groups: gauge("Groups of sessions that see the same at the same pace: a frame is made once for each."),
  shards: gauge("Shards that are fed, which are those with clients."),
  feed_live: gauge("Whether the sidecar's telemetry comes in: 1 or 0. Without shards nobody wants it."),
  stale_seconds: gauge("How old what clients are shown is; 0: it is fed, or nobody is there."),
  circuit_state: gauge("Circuit breakers: 0 closed, 1 half open, 2 open."),
  sessions_opened_total: counter("Sessions opened."),
  sessions_ended_total: counter("Sessions that the gateway ended, by the error's code."),
  frames_sent_total: counter("Frames sent to clients."),
  sent_bytes_total: counter("Bytes of the frames sent, compressed where they were."),
  frames_received_total: counter(
    "Frames that clients sent, but for the heartbeats that the runtime answers.",
  ),
  refused_frames_total: counter("Frames answered with an error, by its code."),
  updates_skipped_total: counter("Times that a session's updates waited, because it had not read the last."),
  snapshots_total: counter("Whole pictures sent."),
  resumes_total: counter("Clients that came back, by whether what they had missed was remembered."),
  feed_streams_total: counter("Telemetry streams asked of the sidecar: the first, and each reconnection."),
  feed_lines_total: counter("Lines that came in telemetry streams."),
  sidecar_requests_total: counter(
    "Requests to the sidecar by sessions and for telemetry, by outcome; those over REST are not among them.",
  ),
  sidecar_request_duration_seconds: histogram("How long the sidecar took to begin its answer to those."),
  tool_calls_total: counter(
    "Calls of tools, by server, tool and outcome (ok, error, refused, cancelled); `other`: those without room.",
  ),
  tool_cache_total: counter("Calls for which the cache was asked: hit, miss, or joined to an equal one."),
  tool_call_duration_seconds: summary(
    "How long calls of a tool took that came to their end, since counting began.",
  ),
  server_calls_total: counter("The same by MCP server."),
  server_cache_total: counter("The same by MCP server."),
  server_call_duration_seconds: summary("The same by MCP server."),
  audit_entries_total: counter("Entries of the audit log; its first ones may have made room."),
  audit_bytes: gauge("What the audit log holds."),
  audit_lost_total: counter(
    "Requests of which the audit log only knows how many there were, since it was loaded.",
  ),
  relay_sessions: gauge("Clients on the relay, by mode."),
  relay_pending_requests: gauge("Relayed requests that wait for their answers."),
  relay_held_messages: gauge("Relayed messages that wait until they can be sent."),
  relay_held_bytes: gauge("Bytes of the relayed messages that wait."),
  relay_link_up: gauge(
    "Whether the relay's link to the sidecar is up: 1 or 0. Without clients it is not wanted.",
  ),
  relay_messages_total: counter("Relayed messages that the gateway passed on, by direction."),
  relay_bytes_total: counter("Bytes of the relayed messages (of a text: its characters), by direction."),
  relay_refused_messages_total: counter(
    "Relayed messages that were refused to their sender, by the error's code.",
  ),
  relay_given_up_total: counter(
    "Relayed messages that were accepted and not delivered, or not answered; each was said.",
  ),
  relay_dropped_total: counter(
    "Binary messages of the orchestrator's, which no client of a shared connection gets.",
  ),
  relay_sessions_ended_total: counter("Clients that the relay sent away, by the error's code."),
  relay_slowed_total: counter("Times that relayed messages had to wait for their client's rate."),
  relay_link_dials_total: counter("Times that the relay's link was dialled."),
  relay_link_failed_dials_total: counter("Times that the relay's link could not be had."),
  relay_link_resets_total: counter(
    "Times that the relay's link began anew, because the other side had forgotten it.",
  ),
} as const satisfies Record<string, Pick<Family, "type" | "help">>;

type Metric = keyof typeof METRICS;

const fullName = (metric: string): string => `hivegate_gateway_${metric}`;

export const series = (metric: Metric, labels?: Readonly<Record<string, string>>): string =>
  seriesOf(fullName(metric), labels);

/** Equal series, from several places, are added up. */
export function addAll(target: Map<string, number>, samples: Iterable<readonly [string, number]>): void {
  for (const [name, value] of samples) target.set(name, (target.get(name) ?? 0) + value);
}

/** One hive's, as Prometheus text: its own, and those of its relays' shards, each of which has counters of its own. */
export function metricsText(own: Samples, relayed: ReadonlyMap<string, Samples>, hive: string): string {
  const samples = new Map(own);
  for (const [shard, counted] of relayed)
    for (const [name, value] of counted) samples.set(withLabels(name, { shard }), value);
  const families = Object.entries(METRICS).map(([metric, kind]) => ({ name: fullName(metric), ...kind }));
  return toText(families, samples, { hive });
}

function gauge(help: string) {
  return { type: "gauge", help } as const;
}
function counter(help: string) {
  return { type: "counter", help } as const;
}
function summary(help: string) {
  return { type: "summary", help } as const;
}
function histogram(help: string) {
  return { type: "histogram", help } as const;
}
