/** A client's session: what of it survives eviction, and the socket it holds. */
import { z } from "zod";
import { Identity } from "../../shared/auth/permission.ts";
import type { TokenBucket } from "../../shared/pressure/token-bucket.ts";
import { Filters, Mode } from "../../shared/protocol/client.ts";
import { HiveId } from "../../shared/protocol/ids.ts";

/**
 * Stored in the socket's attachment (at most 16,384 bytes), so it is written only when it changes: at the
 * start, when the first snapshot is sent, and when the client changes filters or mode.
 */
export const SessionState = z.object({
  clientId: z.uuid(),
  /** `stream`: telemetry is pushed. `relay`: only answers and followed tasks. */
  kind: z.enum(["stream", "relay"]),
  hive: HiveId,
  /** Without its hives: that this one is among them has been decided. */
  identity: Identity.omit({ hives: true }),
  filters: Filters,
  mode: Mode,
  /** Whether the client has a snapshot, so that updates mean something to it. */
  synced: z.boolean(),
});
export type SessionState = z.infer<typeof SessionState>;

/** What the shard needs of a WebSocket, on any host. */
export interface ClientSocket {
  /** Throws when the socket is closed. */
  send(text: string): void;
  close(code: number, reason: string): void;
  save(state: SessionState): void;
  /** Bytes accepted by `send` and not yet gone out; null where the runtime does not say. */
  backlogBytes(): number | null;
}

/** A session while it is in memory. */
export type Session = {
  readonly socket: ClientSocket;
  state: SessionState;
  bucket: TokenBucket;
  /** Frames refused in a row for coming too fast. */
  refused: number;
  /** Requests that wait for the sidecar. */
  waiting: number;
};
