/**
 * Sessions that see the same at the same pace. What one of them is given is made once for all of them that
 * stand at the same place, which most of the time is all of them.
 */
import type { Encoding, Mode } from "../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { Picture } from "../../shared/swarm/picture.ts";
import { type View, viewKey, viewName, wholeAgent } from "../../shared/swarm/view.ts";
import type { DialectName } from "./dialect.ts";
import {
  Encoded,
  type Encoder,
  type MissedSince,
  type Present,
  snapshotFrame,
  updateFrame,
} from "./frames.ts";
import type { Place, Session } from "./session.ts";

type Standing = Place & { at: "offset" };

/** From one place in the stream to the next. `encoded`: what is to be sent; null: nothing that is seen. */
type Step = { encoded: Encoded | null; to: Standing };

export type Kind = { view: View; mode: Mode; dialect: DialectName; encoding: Encoding };

export const groupKey = ({ view, mode, dialect, encoding }: Kind): string =>
  `${mode} ${dialect} ${encoding} ${viewKey(view)}`;

/** How often each session of a group is looked at: how far it has read, and whether its pace should change. */
const LOOK_MS = 1_000;

export class Group {
  readonly kind: Kind;
  readonly viewName: string;
  readonly sessions = new Set<Session>();
  readonly #encoder: Encoder;
  #steps = new Map<string, Step>();
  #stepsVersion = -1;
  #last: { from: Standing; step: Step } | null = null;
  /** When the next look is due: not later than the first token expires. */
  #lookMs = Number.NEGATIVE_INFINITY;

  constructor(kind: Kind, deflate: Encoder["deflate"]) {
    this.kind = kind;
    this.viewName = viewName(kind.view);
    this.#encoder = { dialect: kind.dialect, encoding: kind.encoding, deflate };
  }

  add(session: Session): void {
    this.sessions.add(session);
    this.#lookMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether it is time to look at each session; if so, that is taken as done. A clock may be set back. */
  takeLook(nowMs: number): boolean {
    if (nowMs < this.#lookMs && this.#lookMs <= nowMs + LOOK_MS) return false;
    this.#lookMs = nowMs + LOOK_MS;
    for (const { state } of this.sessions) this.#lookMs = Math.min(this.#lookMs, state.identity.expiresMs);
    return true;
  }

  snapshot(picture: Picture, present: Present): Encoded {
    return this.encoded({ ...snapshotFrame(picture, this.kind.view, present), view: this.viewName });
  }

  /** For all of its sessions. */
  encoded(frame: GatewayFrame): Encoded {
    return new Encoded(frame, this.#encoder);
  }

  /** What a session at this place has missed, and the place where it is then. */
  step(from: Standing, missed: MissedSince, picture: Picture, nowMs: number): Step {
    if (this.#stepsVersion !== picture.version) {
      this.#steps.clear();
      this.#last = null;
      this.#stepsVersion = picture.version;
    }
    // Those who went the last step together stand at one place: the very same object.
    if (this.#last?.from === from) return this.#last.step;
    const key = `${from.told} ${from.seen}`;
    const step = this.#steps.get(key) ?? this.#newStep(from, missed, picture, nowMs);
    this.#steps.set(key, step);
    this.#last = { from, step };
    return step;
  }

  #newStep(from: Standing, missed: MissedSince, picture: Picture, nowMs: number): Step {
    const { view } = this.kind;
    const { offset } = picture;
    const frame = updateFrame(missed.at(from.seen), { picture, view, from: from.told, timestamp: nowMs });
    if (!frame) return { encoded: null, to: { ...from, seen: offset } };
    const encoded = new Encoded(frame, this.#encoder, (id) => wholeAgent(picture, view, id));
    return { encoded, to: { at: "offset", told: offset, seen: offset } };
  }
}
