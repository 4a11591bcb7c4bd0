/**
 * Sessions that see the same at the same pace. What one of them is given is made once for all of them that
 * stand at the same place, which most of the time is all of them.
 */
import type { Mode } from "../../shared/protocol/client.ts";
import type { Picture } from "../../shared/swarm/picture.ts";
import { type View, viewKey, viewName, wholeAgent } from "../../shared/swarm/view.ts";
import type { DialectName } from "./dialect.ts";
import { Encoded, type Encoder, type MissedSince, snapshotFrame, updateFrame } from "./frames.ts";
import type { Place, Session } from "./session.ts";

type Standing = Place & { at: "offset" };

/** From one place in the stream to the next. `encoded`: what is to be sent; null: nothing that is seen. */
type Step = { encoded: Encoded | null; to: Standing };

export type Kind = { view: View; mode: Mode; dialect: DialectName };

export const groupKey = ({ view, mode, dialect }: Kind): string => `${mode} ${dialect} ${viewKey(view)}`;

export class Group {
  readonly kind: Kind;
  readonly viewName: string;
  readonly sessions = new Set<Session>();
  readonly #encoder: Encoder;
  #steps = new Map<string, Step>();
  #stepsVersion = -1;
  #last: { from: Standing; step: Step } | null = null;

  constructor(kind: Kind, deflate: Encoder["deflate"]) {
    this.kind = kind;
    this.viewName = viewName(kind.view);
    this.#encoder = { dialect: kind.dialect, deflate };
  }

  snapshot(picture: Picture, live: boolean, nowMs: number): Encoded {
    const frame = { ...snapshotFrame(picture, this.kind.view, live, nowMs), view: this.viewName };
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
