/** A client's session: what of it survives eviction, and the socket it holds. */
import { z } from "zod";
import { Identity } from "../../shared/auth/permission.ts";
import type { Pace } from "../../shared/pressure/pace.ts";
import { Encoding, Filters, type HeldPosition, Mode, RelayHello } from "../../shared/protocol/client.ts";
import { HiveId, Timestamp } from "../../shared/protocol/ids.ts";
import type { Membership } from "../relay/relay.ts";
import { DialectName } from "./dialect.ts";
import type { SessionRates } from "./session-rates.ts";

/**
 * Stored in the socket's attachment (at most 16,384 bytes), so it is written only when it changes: at the
 * start, when the session is given a picture of another epoch or told of another configuration, when the client changes
 * what it wants, and when it begins or ceases to follow tasks or streamed calls.
 */
export const SessionState = z.object({
  clientId: z.uuid(),
  /** `stream`: telemetry is pushed. `relay`: answers, followed tasks, and what the orchestrator says. */
  kind: z.enum(["stream", "relay"]),
  /** How a relay was opened. */
  relay: RelayHello.optional(),
  dialect: DialectName,
  hive: HiveId,
  /** Without its hives: that this one is among them has been decided. */
  identity: Identity.omit({ hives: true }),
  filters: Filters,
  mode: Mode,
  encoding: Encoding,
  /** The epoch of the picture that the client holds; null: it holds none. */
  epoch: z.string().nullable(),
  /** Of the MCP servers' configuration, as the client was told last; null: never yet. */
  configRevision: z.number().nullable().default(null),
  connectedMs: Timestamp,
  /** When the client was heard last, as far as that was stored. */
  heardMs: Timestamp,
  /** Whether it did not answer in time how far it had read. */
  owesAnswer: z.boolean(),
  /** Whether it follows any task or streamed call. Which ones only the shard's memory knows. */
  follows: z.boolean(),
});
export type SessionState = z.infer<typeof SessionState>;

/** How a session begins. */
export type Hello = Pick<
  SessionState,
  "kind" | "relay" | "dialect" | "identity" | "filters" | "mode" | "encoding"
> & {
  /** Where the client stopped before; null: it starts anew. */
  position: HeldPosition | null;
};

/** What the shard needs of a WebSocket, on any host. */
export interface ClientSocket {
  /** Throws when the socket is closed. */
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
  save(state: SessionState): void;
  /** Bytes accepted by `send` and not yet gone out; null where the runtime does not say. */
  backlogBytes(): number | null;
  /** When the runtime itself answered a heartbeat last; null: never, or it does not do that. */
  heartbeatMs(): number | null;
}

/**
 * Where a session is in the stream. `told` is the offset that its client knows of, `seen` the one up to which
 * it has been given everything it may see: later, if that was nothing.
 * `anywhere`: the shard has lost its memory; a session that it finds is where the feed is.
 * `nowhere`: it waits for a picture, and would like to go on from `resume`.
 */
export type Place =
  | { at: "offset"; told: number; seen: number }
  | { at: "anywhere" }
  | { at: "nowhere"; resume: Resume | null };
export type Resume = { position: HeldPosition; requestId?: string | undefined };

/** A session while it is in memory. */
export type Session = {
  readonly socket: ClientSocket;
  readonly pace: Pace;
  state: SessionState;
  place: Place;
  readonly rates: SessionRates;
  heardMs: number;
  /** Frames refused in a row for coming too fast. */
  refused: number;
  /** Requests that wait for the sidecar. */
  waiting: number;
  /** Its part in the relay, if it has one. */
  relay: Membership | null;
  /** What it is told of as it happens, because it asked to be. */
  readonly follows: Set<"tasks" | "tools">;
  /** Aborted when it is gone: nobody waits for what it asked any more. */
  readonly gone: AbortController;
};

/** Whether every frame passes as it is: then none of ours is sent, and none is read. */
export const isOpaque = ({ relay }: Pick<SessionState, "relay">): boolean => relay?.mode === "dedicated";

const MODES: readonly Mode[] = ["high_frequency", "normal", "low_frequency"];

/** The mode asked for, or a slower one while the client cannot keep up. */
export function effectiveMode({ state: { mode }, pace }: Session): Mode {
  if (pace.slower === 0) return mode;
  const asked = MODES.indexOf(mode);
  return asked === -1 ? mode : (MODES[Math.min(asked + pace.slower, MODES.length - 1)] ?? mode);
}
