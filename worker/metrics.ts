/** Every metric of the gateway. What no object counts is not here: an isolate's own counters cannot be added up. */
import { type Family, seriesOf, toText } from "../shared/metrics/text.ts";

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
} as const satisfies Record<string, Pick<Family, "type" | "help">>;

type Metric = keyof typeof METRICS;

const fullName = (metric: string): string => `hivegate_gateway_${metric}`;

export const series = (metric: Metric, labels?: Readonly<Record<string, string>>): string =>
  seriesOf(fullName(metric), labels);

/** Equal series, from several places, are added up. */
export function addAll(target: Map<string, number>, samples: Iterable<readonly [string, number]>): void {
  for (const [name, value] of samples) target.set(name, (target.get(name) ?? 0) + value);
}

/** One hive's, as Prometheus text. */
export const metricsText = (samples: ReadonlyMap<string, number>, hive: string): string =>
  toText(
    Object.entries(METRICS).map(([metric, kind]) => ({ name: fullName(metric), ...kind })),
    samples,
    { hive },
  );

function gauge(help: string) {
  return { type: "gauge", help } as const;
}
function counter(help: string) {
  return { type: "counter", help } as const;
}
function histogram(help: string) {
  return { type: "histogram", help } as const;
}
