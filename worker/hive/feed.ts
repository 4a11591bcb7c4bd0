/**
 * What a Hive sends to its shards over the WebSocket that it dials: the sidecar's telemetry lines as they
 * came, and whether they still come. A shard answers `resync` when it has lost its place.
 */
import { z } from "zod";
import { TelemetryLine } from "../../shared/protocol/sidecar.ts";

export const FeedMessage = z.discriminatedUnion("type", [
  ...TelemetryLine.options,
  z.object({ type: z.literal("live"), live: z.boolean() }),
]);
export type FeedMessage = z.infer<typeof FeedMessage>;

export const RESYNC = "resync";
