/**
 * Answers of MCP servers that may be given again (T3). Each isolate or process keeps its own, as plain data, within
 * `LIMITS.cachedAnswersBytes`; what was used longest ago goes first. An answer holds for the version of its server's
 * tools that it was given under, and for the client that got it, unless the server says that it is public.
 */
import type { MaybePromise, Sha256 } from "../../shared/auth/signature.ts";
import { LIMITS } from "../../shared/limits.ts";
import { ByteCache } from "../../shared/pressure/byte-cache.ts";
import { type CacheCall, type Question, questionOf, serverAsked } from "./cache-question.ts";
import { keepingOf, lifetimeOf } from "./cache-rules.ts";
import { CacheStats } from "./cache-stats.ts";
import type { Defer } from "./events.ts";
import type { Known, RegistryView } from "./registry-view.ts";

/** `result` is JSON text, to be given with the asker's own id. */
export type Hit = { kind: "hit"; result: string; ageMs: number };

export type Miss = {
  kind: "miss";
  /** For the sidecar, as `?join=`: equal questions under way at the same time are asked once. Null: they may not be. */
  join: string | null;
  /**
   * Keeps a result, if it may be. `registry` is the answer's `REGISTRY_HEADER`; nothing may have come before the
   * result, such as progress.
   */
  keep(result: Readonly<Record<string, unknown>>, from: { registry: string | null; joined: boolean }): void;
};

/** `none`: the cache has nothing to do with this request. */
export type Found = Hit | Miss | { kind: "none" };

type Answer = Pick<Question, "version" | "label"> & {
  hive: string;
  /** Without its own `ttlMs`, where it has one: what is left of that is said anew each time. */
  result: string;
  ttlMs: number | null;
  keptMs: number;
};

const NONE: Found = { kind: "none" };

export type CachePorts = { registry: RegistryView; sha256: Sha256; now(): number };

export class AnswerCache {
  readonly stats = new CacheStats();
  readonly #ports: CachePorts;
  readonly #answers = new ByteCache<Answer>(LIMITS.cachedAnswersBytes);

  constructor(ports: CachePorts) {
    this.#ports = ports;
  }

  /** At once, unless the sidecar has to be asked first which tools there are. */
  find(call: CacheCall, defer: Defer): MaybePromise<Found> {
    if (/no-store/i.test(call.cacheControl ?? "")) return NONE;
    const { registry } = this.#ports;
    const known = registry.current(call.hive);
    if (!known) return this.#findAfterAsking(call);
    if (registry.isDue(call.hive)) defer(registry.refresh(call.hive, serverAsked(call)).then(() => {}));
    return this.#findWith(known, call);
  }

  async #findAfterAsking(call: CacheCall): Promise<Found> {
    const known = await this.#ports.registry.refresh(call.hive, serverAsked(call));
    return known ? this.#findWith(known, call) : NONE;
  }

  #findWith(known: Known, call: CacheCall): MaybePromise<Found> {
    const question = questionOf(call, known);
    if (!question) return NONE;
    const bypassed = /no-cache|max-age=0(?!\d)/i.test(call.cacheControl ?? "");
    const answer = bypassed ? null : this.#answerTo(question);
    if (!answer) return this.#miss(call.hive, question, bypassed);
    this.stats.count(call.hive, question.label, "hits");
    return hitOf(answer, this.#ports.now());
  }

  #answerTo({ own, key, version }: Question): Answer | null {
    const nowMs = this.#ports.now();
    const answer = this.#answers.get(own, nowMs) ?? this.#answers.get(key, nowMs);
    return answer?.version === version ? answer : null;
  }

  async #miss(hive: string, question: Question, bypassed: boolean): Promise<Miss> {
    this.stats.count(hive, question.label, "misses");
    const joinable = !bypassed && keepingOf(question.target) === "always";
    return {
      kind: "miss",
      join: joinable ? await this.#hashOf(question) : null,
      keep: (result, { registry, joined }) => {
        if (joined) this.stats.count(hive, question.label, "joined");
        if (registry === question.registry) this.#keep(hive, question, result);
      },
    };
  }

  #keep(hive: string, question: Question, result: Readonly<Record<string, unknown>>): void {
    const { target, shareable, own, key, version, label } = question;
    const lifetime = lifetimeOf(target, result);
    if (!lifetime) return;
    const { ttlMs, ...rest } = result;
    const answer: Answer = {
      ...{ hive, version, label, keptMs: this.#ports.now() },
      result: JSON.stringify(rest),
      ttlMs: typeof ttlMs === "number" ? ttlMs : null,
    };
    const keyUsed = lifetime.shared && shareable ? key : own;
    const bytes = BYTES_PER_CHAR * (keyUsed.length + answer.result.length) + ENTRY_BYTES;
    if (bytes <= LIMITS.cachedAnswerBytes)
      this.#answers.set(keyUsed, answer, bytes, answer.keptMs + lifetime.ttlMs);
  }

  async #hashOf({ own, version }: Question): Promise<string> {
    const hash = await this.#ports.sha256(new TextEncoder().encode(`${version} ${own}`));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** What is kept and was given of one hive's tools, of those that `sees` lets through. */
  report(hive: string, sees: (label: string) => boolean) {
    const nowMs = this.#ports.now();
    const kept = [...this.#answers.values(nowMs)].filter((answer) => answer.hive === hive);
    return this.stats.report(hive, kept, { sees, nowMs });
  }
}

/** An engine may need two for each. */
const BYTES_PER_CHAR = 2;
const ENTRY_BYTES = 256;

function hitOf({ result, ttlMs, keptMs }: Answer, nowMs: number): Hit {
  const ageMs = nowMs - keptMs;
  if (ttlMs === null) return { kind: "hit", result, ageMs };
  const left = `{"ttlMs":${Math.max(ttlMs - ageMs, 0)}`;
  return { kind: "hit", result: result === "{}" ? `${left}}` : `${left},${result.slice(1)}`, ageMs };
}
