/**
 * What a Hive and its shards say to each other over the WebSocket that the Hive dials. Both run the same
 * code of the same deployment, but not always: during a deployment versions meet.
 */
import { z } from "zod";
import { ConfigChanged, ConfigRevision } from "../../shared/protocol/config.ts";
import { Timestamp } from "../../shared/protocol/ids.ts";
import {
  Circuit,
  Demand,
  Position,
  TelemetryChangeLine,
  TelemetrySnapshot,
} from "../../shared/protocol/sidecar.ts";

/** Whether the picture is fed, since when it is not, and the circuit breaker before the sidecar. */
export const HiveStatus = z.object({
  live: z.boolean(),
  staleSince: Timestamp.nullable(),
  circuit: Circuit,
});
export type HiveStatus = z.infer<typeof HiveStatus>;

/**
 * From the Hive: the picture to start from, and the sidecar's changes as they came. A picture that was `asked`
 * for is where the feed stands; any other is where the sidecar's stream has begun anew, which may be elsewhere.
 */
export const FeedMessage = z.discriminatedUnion("type", [
  TelemetrySnapshot.extend({ asked: z.literal(true).optional() }),
  TelemetryChangeLine,
  z.object({ type: z.literal("status"), status: HiveStatus }),
  ConfigRevision,
  ConfigChanged,
]);
export type FeedMessage = z.infer<typeof FeedMessage>;

const Numbers = z.record(z.string().max(200), z.number());

/** By series, as Prometheus names it: what a shard has counted since it told last, and what is so there now. */
export const ShardReport = z.object({ type: z.literal("report"), added: Numbers, gauges: Numbers });
export type ShardReport = z.infer<typeof ShardReport>;

/** @throws when the text is not a message of the feed */
export const readFeedMessage = (text: string): FeedMessage => FeedMessage.parse(JSON.parse(text));

/** A message to a shard, and its text, written once for all shards that are told by text. */
export class FeedNews {
  readonly message: FeedMessage;
  #text: string | null;

  constructor(message: FeedMessage, text: string | null = null) {
    this.message = message;
    this.#text = text;
  }

  get text(): string {
    this.#text ??= JSON.stringify(this.message);
    return this.#text;
  }
}

/**
 * From a shard. `watch` asks to be told what it missed since `position`, or for a snapshot, and then for
 * everything; `demand` says how often its clients want news;
 * `report` is for metrics.
 */
export const ShardMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("watch"), position: Position.nullable(), ...Demand.shape }),
  z.object({ type: z.literal("demand"), ...Demand.shape }),
  ShardReport,
]);
export type ShardMessage = z.infer<typeof ShardMessage>;
