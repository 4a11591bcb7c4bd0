/**
 * Sessions that see the same at the same pace. What one of them is given is made once for all of them that
 * stand at the same place, which most of the time is all of them.
 */
import type { Mode } from "../../shared/protocol/client.ts";
import type { Picture } from "../../shared/swarm/picture.ts";
import { type View, viewKey, viewName, wholeAgent } from "../../shared/swarm/view.ts";
import type { DialectName } from "./dialect.ts";
import { Encoded, type Encoder, type MissedSince, snapshotFrame, updateFrame } from "./frames.ts";
import type { Session } from "./session.ts";

export type Kind = { view: View; mode: Mode; dialect: DialectName };

export const groupKey = ({ view, mode, dialect }: Kind): string => `${mode} ${dialect} ${viewKey(view)}`;

export class Group {
  readonly kind: Kind;
  readonly viewName: string;
  readonly sessions = new Set<Session>();
  readonly #encoder: Encoder;
  #snapshot: { version: number; live: boolean; encoded: Encoded } | null = null;
  #updates = new Map<string, Encoded | null>();
  #updatesVersion = -1;

  constructor(kind: Kind, deflate: Encoder["deflate"]) {
    this.kind = kind;
    this.viewName = viewName(kind.view);
    this.#encoder = { dialect: kind.dialect, deflate };
  }

  snapshot(picture: Picture, live: boolean, nowMs: number): Encoded {
    const { version } = picture;
    const kept = this.#snapshot;
    if (kept?.version === version && kept.live === live) return kept.encoded;
    const frame = { ...snapshotFrame(picture, this.kind.view, live, nowMs), view: this.viewName };
    const encoded = new Encoded(frame, this.#encoder);
    this.#snapshot = { version, live, encoded };
    return encoded;
  }

  /** What a session at this place has missed; null: nothing that it sees. */
  update(
    place: { told: number; seen: number },
    missed: MissedSince,
    picture: Picture,
    nowMs: number,
  ): Encoded | null {
    if (this.#updatesVersion !== picture.version) {
      this.#updates.clear();
      // A snapshot of an earlier version is of no more use to anybody.
      this.#snapshot = null;
    }
    this.#updatesVersion = picture.version;
    const key = `${place.told} ${place.seen}`;
    const made = this.#updates.get(key);
    if (made !== undefined) return made;
    const { view } = this.kind;
    const frame = updateFrame(missed.at(place.seen), { picture, view, from: place.told, timestamp: nowMs });
    const encoded = frame && new Encoded(frame, this.#encoder, (id) => wholeAgent(picture, view, id));
    this.#updates.set(key, encoded);
    return encoded;
  }
}
