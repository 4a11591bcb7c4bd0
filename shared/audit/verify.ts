/** Whether an export of the audit log is as it was written. */
import { canonicalJson } from "../wire/canonical-json.ts";
import { parseJson } from "../wire/json.ts";
import {
  AuditHead,
  AuditLine,
  Checkpoint,
  Doubt,
  entryHash,
  HeadLine,
  isSealedBy,
  NOTHING_BEFORE,
  type Seal,
  type Sha256Hex,
} from "./chain.ts";

/** A place of the log that is known from elsewhere: an earlier export's end, say. */
export type KnownPlace = { seq: number; hash: string };

/**
 * `seq`: of the first entry that is wrong, missing, or tells of something wrong. `isSealed` null: there were no keys to
 * tell by. `isKnownDropped`: the place that is known from elsewhere is among what the log says to have dropped, so that
 * nothing shows whether it follows on it.
 */
export type Verdict =
  | { ok: true; from: number; to: number; hash: string; isSealed: true | null; isKnownDropped: boolean }
  | { ok: false; seq: number; reason: string };

export type VerifyOptions = {
  sha256: Sha256Hex;
  /** The seal of the key of this name, if it is among those at hand. Null: there are none at hand. */
  sealOf: ((kid: string) => Seal | null) | null;
  known?: KnownPlace | undefined;
};

/** Takes an export line by line, and says at the end what became of it. Remembers no lines. */
export class ChainVerifier {
  readonly #options: VerifyOptions;
  #wrong: Verdict | null = null;
  #from: number | null = null;
  #fromPrev = NOTHING_BEFORE;
  #last: KnownPlace = { seq: 0, hash: NOTHING_BEFORE };
  #head: AuditHead | null = null;
  #isBeginningTold = false;
  #isKnownSeen: boolean;
  #doubt: Verdict | null = null;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#isKnownSeen = options.known === undefined;
  }

  push(text: string): void {
    if (this.#wrong || text.trim() === "") return;
    const value = parsed(text);
    const head = HeadLine.safeParse(value);
    const line = AuditLine.safeParse(value);
    if (this.#head) this.#fail(this.#last.seq + 1, "something follows the log's head");
    else if (head.success) this.#head = AuditHead.parse(head.data.head);
    else if (line.success) this.#take(line.data);
    else this.#fail(this.#last.seq + 1, "a line is no audit entry");
  }

  end(): Verdict {
    if (this.#wrong) return this.#wrong;
    const next = this.#last.seq + 1;
    const head = this.#head;
    if (!head) return wrong(next, "the log's head is missing: the end may have been cut off");
    if (this.#from === null && head.seq > 0) return wrong(1, "there are no entries");
    if (head.seq !== this.#last.seq)
      return wrong(Math.min(next, head.seq + 1), `the head is at ${head.seq}, the last entry at ${next - 1}`);
    if (head.hash !== this.#last.hash) return wrong(head.seq, "the head has another hash");
    const isKnownDropped = !this.#isKnownSeen && this.#isKnownBefore(this.#from);
    if (!this.#isKnownSeen && !isKnownDropped)
      return wrong(next, "the entry that is known from elsewhere is missing");
    if (this.#from !== null && this.#from > 1 && !this.#isBeginningTold)
      return wrong(this.#from - 1, "no checkpoint tells of the entries that are missing at the beginning");
    if (this.#doubt) return this.#doubt;
    const seal = this.#options.sealOf?.(head.kid);
    if (seal === null)
      return wrong(
        head.seq,
        `the head is sealed with a key that is not at hand: ${JSON.stringify(head.kid)}`,
      );
    if (seal && !isSealedBy(seal, head)) return wrong(head.seq, "the head is not sealed with this key");
    const range = { from: this.#from ?? 0, to: head.seq, hash: head.hash };
    return { ok: true, ...range, isSealed: seal ? true : null, isKnownDropped };
  }

  /** Whether the log begins behind the known place: then a checkpoint has to say so. */
  #isKnownBefore(from: number | null): boolean {
    const { known } = this.#options;
    return known !== undefined && from !== null && known.seq < from - 1;
  }

  #take({ seq, prev, hash, entry }: AuditLine): void {
    if (this.#from === null) this.#begin(seq, prev);
    const { known, sha256 } = this.#options;
    if (seq !== this.#last.seq + 1) this.#fail(this.#last.seq + 1, "an entry is missing or moved");
    else if (prev !== this.#last.hash) this.#fail(seq, "it does not follow on the entry before it");
    else if (entryHash(sha256, seq, prev, canonicalJson(entry)) !== hash) this.#fail(seq, "it was altered");
    else if (known?.seq === seq && known.hash !== hash)
      this.#fail(seq, "it is not the one known from elsewhere");
    if (known?.seq === seq) this.#isKnownSeen = true;
    this.#see({ seq, hash }, entry);
    this.#last = { seq, hash };
  }

  /** What the log says of itself. A doubt that is not younger than the known place has been looked into. */
  #see({ seq, hash }: KnownPlace, entry: unknown): void {
    const doubt = Doubt.safeParse(entry);
    if (doubt.success && seq > (this.#options.known?.seq ?? 0)) {
      const advice = `where that is explained, go on from ${seq}:${hash}`;
      this.#doubt ??= wrong(seq, `the log itself says that ${doubt.data.reason} (${advice})`);
    }
    const checkpoint = Checkpoint.safeParse(entry);
    if (checkpoint.success && checkpoint.data.through + 1 === this.#from)
      this.#isBeginningTold ||= checkpoint.data.hash === this.#fromPrev;
  }

  /** The oldest entries may have been dropped: a checkpoint further on has to say so. */
  #begin(seq: number, prev: string): void {
    this.#from = seq;
    if (seq > 1) this.#fromPrev = prev;
    this.#last = { seq: seq - 1, hash: this.#fromPrev };
    const { known } = this.#options;
    if (known && known.seq === seq - 1 && known.hash === prev) this.#isKnownSeen = true;
  }

  #fail(seq: number, reason: string): void {
    this.#wrong ??= wrong(seq, reason);
  }
}

const wrong = (seq: number, reason: string): Verdict => ({ ok: false, seq, reason });

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}
