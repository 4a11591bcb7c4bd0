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
};

/**
 * The registry, or null when it is still the version that is `known`. Where nothing is known, servers are listed first.
 * @throws HivegateError
 */
export type AskRegistry = (
  hive: string,
  known: string | null,
  timeoutMs: number,
) => Promise<RegistryAnswer | null>;

/** `confirmedMs`: when the sidecar last said that this is how it is; null: it said that it is not. */
type State = { known: Known | null; confirmedMs: number | null; askedMs: number; failedMs: number };

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

  /** The sidecar answered something, and this was the version then. */
  heard(hive: string, version: string): void {
    const state = this.#hives.get(hive);
    if (!state?.known) return;
    state.confirmedMs = state.known.version === version ? this.#now() : null;
  }

  /** What is known may hold no longer: it is asked for before it is relied on again. */
  doubt(hive: string): void {
    const state = this.#hives.get(hive);
    if (state) state.confirmedMs = null;
  }

  /** All servers with their tools. @throws HivegateError when the sidecar does not say */
  async servers(hive: string): Promise<readonly RegistryServer[]> {
    const known = this.current(hive) ?? (await this.#learn(this.#stateOf(hive), hive, LIMITS.registryWaitMs));
    return known.all;
  }

  /**
   * Asks the sidecar, and waits for `LIMITS.registryTimeoutMs` at most. Null when it does not say: then nobody asks
   * for a while. Never throws. Each request asks for itself: on Workers none may wait for another's.
   */
  async refresh(hive: string): Promise<Known | null> {
    const state = this.#stateOf(hive);
    if (this.#now() - state.failedMs < LIMITS.registryRetryMs) return null;
    try {
      return await this.#learn(state, hive, LIMITS.registryTimeoutMs);
    } catch {
      state.failedMs = this.#now();
      return null;
    }
  }

  async #learn(state: State, hive: string, timeoutMs: number): Promise<Known> {
    const askedMs = this.#now();
    state.askedMs = askedMs;
    const answer = await this.#ask(hive, state.known?.version ?? null, timeoutMs);
    if (answer) state.known = knownFrom(answer);
    if (!state.known) throw new HivegateError("internal", undefined, { cause: "no registry" });
    state.confirmedMs = askedMs;
    return state.known;
  }

  #stateOf(hive: string): State {
    let state = this.#hives.get(hive);
    if (!state) {
      state = { known: null, confirmedMs: null, askedMs: 0, failedMs: 0 };
      this.#hives.set(hive, state);
    }
    return state;
  }
}

const knownFrom = ({ version, servers }: RegistryAnswer): Known => ({
  version,
  all: servers,
  servers: new Map(
    servers.map(({ name, era, version, tools }) => [
      name,
      { name, era, version, tools: new Map(tools.map((tool) => [tool.name, tool])) },
    ]),
  ),
});
