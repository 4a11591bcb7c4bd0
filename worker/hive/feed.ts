/**
 * What a Hive sends to its shards over the WebSocket that it dials: the picture to start from, the sidecar's
 * changes as they came, and that they come no more. A shard that has lost its place answers `resync`.
 */
import { z } from "zod";
import { TelemetryChangeLine, TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";

export const FeedMessage = z.discriminatedUnion("type", [
  /** `live` is false while the sidecar cannot be reached: the picture is the last one known. */
  z.object({ type: z.literal("sync"), live: z.boolean(), snapshot: TelemetrySnapshot }),
  TelemetryChangeLine,
  z.object({ type: z.literal("lost") }),
]);
export type FeedMessage = z.infer<typeof FeedMessage>;

export const RESYNC = "resync";
