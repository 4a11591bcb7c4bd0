import { ERRORS } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { OrchestratorsAnswer } from "../../shared/relay/orchestrators.ts";
import type { RelayAudit } from "./audit.ts";
import { DedicatedUpstream } from "./dedicated-upstream.ts";
import type { ConnectionState } from "./kept-connection.ts";
import type { RelayMetrics } from "./metrics.ts";
import { Orchestrator, type OrchestratorOptions } from "./orchestrator.ts";
import type { RelaySession } from "./session.ts";
import { SharedUpstream } from "./shared-upstream.ts";

export type OrchestratorsOptions = OrchestratorOptions & {
  urls: readonly string[];
  metrics: RelayMetrics;
  audit: Pick<RelayAudit, "write">;
};

/** An orchestrator in use: the one connection that is shared, and how many sessions have one of their own. */
type Place = { orchestrator: Orchestrator; shared: SharedUpstream; dedicated: Set<RelaySession> };

/** All orchestrators. A new session goes to the healthiest with the fewest sessions. */
export class Orchestrators {
  readonly #options: OrchestratorsOptions;
  #places: Place[];
  /** No longer wanted; they still have answers to give, or dedicated sessions. */
  readonly #left = new Set<Place>();

  constructor(options: OrchestratorsOptions) {
    this.#options = options;
    this.#places = options.urls.map((url) => this.#place(url));
  }

  join(session: RelaySession): void {
    const place = this.#best();
    if (session.mode === "shared") place.shared.join(session);
    else if (this.#dedicated >= LIMITS.dedicatedConnections) {
      session.end(ERRORS.overloaded.close, "All dedicated connections are in use. Try again later.");
    } else {
      place.dedicated.add(session);
      new DedicatedUpstream(session, place.orchestrator, () => {
        place.dedicated.delete(session);
        this.#forgetIfDone(place);
      });
    }
  }

  /**
   * From now on these. What was there before and is not named answers what it was asked, within a limit; its shared
   * sessions move over, its dedicated ones are closed so that they come back to another one.
   */
  change(urls: readonly string[]): void {
    const before = this.#places;
    this.#places = urls.map((url) => before.find((one) => one.orchestrator.url === url) ?? this.#place(url));
    for (const place of before) if (!this.#places.includes(place)) this.#leave(place);
  }

  /** Those that sessions go to now. */
  get urls(): string[] {
    return this.#places.map(({ orchestrator }) => orchestrator.url);
  }

  answer(): OrchestratorsAnswer {
    const places = [...this.#places, ...this.#left];
    return {
      orchestrators: places.map(({ orchestrator, shared, dedicated }) => ({
        url: orchestrator.publicUrl,
        state: this.#places.some((one) => one.shared === shared)
          ? (shared.state?.state ?? "idle")
          : "draining",
        circuit: orchestrator.guard.circuit,
        sessions: { shared: shared.sessions, dedicated: dedicated.size },
        pending: shared.pending,
      })),
    };
  }

  /** Requests that wait for answers, of all. */
  get pending(): number {
    return [...this.#places, ...this.#left].reduce((sum, { shared }) => sum + shared.pending, 0);
  }

  close(): void {
    for (const { shared } of [...this.#places, ...this.#left]) shared.close();
  }

  get #dedicated(): number {
    return [...this.#places, ...this.#left].reduce((sum, { dedicated }) => sum + dedicated.size, 0);
  }

  #place(url: string): Place {
    const orchestrator = new Orchestrator(url, this.#options);
    return { orchestrator, shared: this.#newShared(orchestrator), dedicated: new Set() };
  }

  #newShared(orchestrator: Orchestrator): SharedUpstream {
    const { metrics, audit } = this.#options;
    const shared: SharedUpstream = new SharedUpstream({
      ...{ orchestrator, metrics, audit },
      onState: (state) => this.#stateChanged(shared, state),
      onRetired: () => {
        for (const place of this.#left) if (place.shared === shared) this.#forgetIfDone(place);
      },
    });
    return shared;
  }

  #best(): Place {
    const [best] = this.#places.toSorted((a, b) => rank(a) - rank(b) || load(a) - load(b));
    if (!best) throw new Error("there is always an orchestrator");
    return best;
  }

  /** Sessions do not wait for an orchestrator that did not come back at once while another one is well. */
  #stateChanged(shared: SharedUpstream, { state, attempt = 0 }: ConnectionState): void {
    const isGivenUp = state === "circuit_open" || (state === "reconnecting" && attempt >= 2);
    const place = this.#places.find((one) => one.shared === shared);
    if (!isGivenUp || !place || rank(this.#best()) > 0) return;
    const best = this.#best();
    if (best === place) return;
    place.shared = this.#newShared(place.orchestrator);
    best.shared.adopt(shared.retire(LIMITS.orchestratorDrainMs));
  }

  #leave(place: Place): void {
    this.#left.add(place);
    const released = place.shared.retire(LIMITS.orchestratorDrainMs);
    if (released.sessions.length + released.waiting.length > 0) this.#best().shared.adopt(released);
    const { close, advice } = ERRORS.shutting_down;
    for (const session of [...place.dedicated]) {
      session.notice({ state: "draining" });
      session.end(close, advice);
    }
    this.#forgetIfDone(place);
  }

  #forgetIfDone(place: Place): void {
    if (this.#left.has(place) && place.shared.isOver && place.dedicated.size === 0) this.#left.delete(place);
  }
}

/** 0: well, as far as is known; 1: failed of late; 2: not to be tried. */
function rank({ orchestrator }: Place): number {
  if (orchestrator.guard.retryInMs > 0) return 2;
  return orchestrator.isFailing ? 1 : 0;
}

const load = ({ shared, dedicated }: Place): number => shared.sessions + dedicated.size;
