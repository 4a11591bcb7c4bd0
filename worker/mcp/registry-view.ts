/**
 * What the edge knows of a hive's tools. Plain data, read without waiting. Every answer of the sidecar confirms it, or
 * shows that it is out of date (`heard`); where no other traffic does, whoever reads it asks now and then.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { RegistryAnswer, RegistryServer, ToolEntry } from "../../shared/protocol/tools.ts";

export type KnownServer = Pick<RegistryServer, "name" | "era" | "version"> & {
  tools: ReadonlyMap<string, ToolEntry>;
};
export type Known = {
  version: string;
  servers: ReadonlyMap<string, KnownServer>;
  /** The same as it came, in the order in which they are configured. */
  all: readonly RegistryServer[];
  /** All servers were waited for, none is left out. */
  isWhole: boolean;
};

/** `known`: the version that need not be told again. `waitFor`: the one server that is; null: all are. See `RegistryQuery`. */
export type RegistryQuestion = { known: string | null; waitFor: string | null; timeoutMs: number };

/** The registry, or null when it is still the version that is `known`. @throws HivegateError */
export type AskRegistry = (hive: string, question: RegistryQuestion) => Promise<RegistryAnswer | null>;

type State = {
  known: Known | null;
  /** When the sidecar last said that this is how it is; null: it is in doubt, and only asking ends that. */
  confirmedMs: number | null;
  askedMs: number;
  failedMs: number;
  /** How often it was asked. */
  questions: number;
  /** Answers to this question and to those before it say nothing any more: something newer is known, or all that was is in doubt. */
  settled: number;
};

export class RegistryView {
  readonly #ask: AskRegistry;
  readonly #now: () => number;
  readonly #hives = new Map<string, State>();

  constructor(ask: AskRegistry, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** What is known, if the sidecar confirmed it within `LIMITS.registryTrustedMs`. */
  current(hive: string): Known | null {
    const state = this.#hives.get(hive);
    if (!state || state.confirmedMs === null) return null;
    return this.#now() - state.confirmedMs <= LIMITS.registryTrustedMs ? state.known : null;
  }

  /** Whether it is time to ask in the background. Says so once: whoever hears it has to `refresh`. */
  isDue(hive: string): boolean {
    const state = this.#hives.get(hive);
    if (!state) return false;
    const nowMs = this.#now();
    const quietMs = nowMs - Math.max(state.confirmedMs ?? 0, state.askedMs);
    if (quietMs < LIMITS.registryConfirmedMs) return false;
    state.askedMs = nowMs;
    return true;
  }

  /** The sidecar answered something, and this was the version then. What is in doubt stays so: it may be an answer from before. */
  heard(hive: string, version: string): void {
    const state = this.#hives.get(hive);
    if (!state?.known) return;
    if (state.known.version !== version) this.doubt(hive);
    else if (state.confirmedMs !== null) state.confirmedMs = this.#now();
  }

  /** What is known may hold no longer: it is asked for before it is relied on again, whatever is on its way. */
  doubt(hive: string): void {
    const state = this.#hives.get(hive);
    if (!state) return;
    state.confirmedMs = null;
    state.settled = state.questions;
  }

  /** All servers with their tools. @throws HivegateError when the sidecar does not say */
  async servers(hive: string): Promise<readonly RegistryServer[]> {
    const current = this.current(hive);
    if (current?.isWhole) return current.all;
    const question = { waitFor: null, timeoutMs: LIMITS.registryWaitMs };
    return (await this.#learn(this.#stateOf(hive), hive, question)).all;
  }

  /**
   * Asks the sidecar about this server first, or about all: others that are slow keep nobody waiting. It takes `LIMITS.registryTimeoutMs`
   * at most. Null when it does not say: then nobody asks for a while. Never throws. Each request asks for itself: on
   * Workers none may wait for another's.
   */
  async refresh(hive: string, server: string | null): Promise<Known | null> {
    const state = this.#stateOf(hive);
    if (this.#now() - state.failedMs < LIMITS.registryRetryMs) return null;
    try {
      return await this.#learn(state, hive, { waitFor: server, timeoutMs: LIMITS.registryTimeoutMs });
    } catch {
      state.failedMs = this.#now();
      return null;
    }
  }

  async #learn(state: State, hive: string, question: Omit<RegistryQuestion, "known">): Promise<Known> {
    const askedMs = this.#now();
    state.askedMs = askedMs;
    const number = ++state.questions;
    const isWhole = question.waitFor === null;
    const held = isWhole && !state.known?.isWhole ? null : state.known;
    const answer = await this.#ask(hive, { ...question, known: held?.version ?? null });
    const known = answer ? knownFrom(answer, isWhole) : held;
    if (!known) throw new HivegateError("internal", undefined, { cause: "no registry" });
    if (number > state.settled) {
      state.settled = number;
      state.known = known;
      state.confirmedMs = askedMs;
    }
    return known;
  }

  #stateOf(hive: string): State {
    let state = this.#hives.get(hive);
    if (!state) {
      state = { known: null, confirmedMs: null, askedMs: 0, failedMs: 0, questions: 0, settled: 0 };
      this.#hives.set(hive, state);
    }
    return state;
  }
}

const knownFrom = ({ version, servers }: RegistryAnswer, isWhole: boolean): Known => ({
  version,
  isWhole,
  all: servers,
  servers: new Map(
    servers.map(({ name, era, version, tools }) => [
      name,
      { name, era, version, tools: new Map(tools.map((tool) => [tool.name, tool])) },
    ]),
  ),
});
