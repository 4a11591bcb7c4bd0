/** Telemetry as frames: each is made and encoded once, for all sessions that are to have the same. */
import { LIMITS } from "../../shared/limits.ts";
import type { Encoding } from "../../shared/protocol/client.ts";
import type { ConfigChanged, ConfigRevision } from "../../shared/protocol/config.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { TelemetryChange } from "../../shared/protocol/sidecar.ts";
import type { Missed, Picture } from "../../shared/swarm/picture.ts";
import { isWholeHive, seenOf, seenOfMissed, type View } from "../../shared/swarm/view.ts";
import { DIALECTS, type DialectName, type WholeAgent } from "./dialect.ts";

/** How frames are written for some clients. */
export type Encoder = { dialect: DialectName; encoding: Encoding; deflate(text: string): Uint8Array };

/** What one `send` takes, and how long it is in UTF-8. */
export type Message = { data: string | Uint8Array; bytes: number };

const UNKNOWN: WholeAgent = () => undefined;

/** A frame as the messages that it is sent as. */
export class Encoded {
  readonly messages: readonly Message[];
  /** Of all messages. */
  readonly bytes: number;

  constructor(frame: GatewayFrame, encoder: Encoder, whole: WholeAgent = UNKNOWN) {
    const written = DIALECTS[encoder.dialect].write(frame, whole);
    this.messages = written.map((message) => messageOf(JSON.stringify(message), encoder));
    this.bytes = this.messages.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function messageOf(text: string, { encoding, deflate }: Encoder): Message {
  if (encoding === "json" || text.length < LIMITS.deflateFromChars)
    return { data: text, bytes: utf8Bytes(text) };
  const data = deflate(text);
  return { data, bytes: data.length };
}

/**
 * The snapshots made of one version of the picture, for those who come at the same time: within a limit, and
 * until the next version is asked for.
 */
export class SnapshotCache<Key> {
  readonly #kept = new Map<Key, Encoded>();
  #version = "";
  #bytes = 0;

  /** `present` names what is so for all of them. */
  of(key: Key, present: string, make: () => Encoded): Encoded {
    if (present !== this.#version) this.#clear();
    this.#version = present;
    const known = this.#kept.get(key);
    if (known) return known;
    const made = make();
    if (this.#bytes + made.bytes > LIMITS.keptSnapshotBytes) this.#clear();
    this.#kept.set(key, made);
    this.#bytes += made.bytes;
    return made;
  }

  #clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}

/** What was missed since each of the offsets asked about, for as long as the picture stays where it is. */
export class MissedSince {
  readonly #picture: Picture;
  readonly #known = new Map<number, Missed>();
  #version = 0;

  constructor(picture: Picture) {
    this.#picture = picture;
  }

  at(offset: number): Missed {
    if (this.#version !== this.#picture.version) this.#known.clear();
    this.#version = this.#picture.version;
    const missed = this.#known.get(offset) ?? this.#picture.missedSince(offset);
    this.#known.set(offset, missed);
    return missed;
  }
}

const encoder = new TextEncoder();
export const utf8Bytes = (text: string): number => encoder.encode(text).length;

type Parts = Pick<TelemetryChange, "swarms" | "container">;

/** What only those get who asked for it. */
const asked = ({ swarms, container }: Parts) => ({
  ...(container !== undefined && { performance_metrics: { container } }),
  ...(swarms && { topology_changes: swarms }),
});

/** What a snapshot tells beside the picture. */
export type Present = { live: boolean; configRevision: number | null; nowMs: number };

export function snapshotFrame(
  picture: Picture,
  view: View,
  { live, configRevision, nowMs }: Present,
): GatewayFrame & { type: "snapshot" } {
  const { epoch, offset } = picture;
  const { agents, servers = [], tasks = [], ...parts } = seenOf(picture, view);
  const payload = { agents, servers, tasks, ...asked(parts) };
  const held = { epoch, offset, config_revision: configRevision };
  return { type: "snapshot", ...held, timestamp: nowMs, live, payload };
}

/** Servers are named to whoever sees the whole hive; where no names are known either, to nobody. */
export function configFrame(
  message: ConfigChanged | ConfigRevision,
  { scope }: View,
  timestamp: number,
): GatewayFrame {
  if (message.type === "config_changed" && isWholeHive(scope)) return message;
  const { revision } = message;
  return { type: "config_changed", revision, added: [], changed: [], removed: [], timestamp };
}

/** Null: nothing that this view shows. */
export function updateFrame(
  missed: Missed,
  { picture, view, from, timestamp }: { picture: Picture; view: View; from: number; timestamp: number },
): GatewayFrame | null {
  const change = seenOfMissed(missed, picture, view);
  if (!change) return null;
  const { agents = [], removed, servers, tasks, ...parts } = change;
  const payload = {
    agents,
    ...(removed && { removed }),
    ...(servers && { servers }),
    ...(tasks && { tasks }),
    ...asked(parts),
  };
  return { type: "agent_update", from, offset: picture.offset, timestamp, payload };
}
