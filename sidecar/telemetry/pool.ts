import type { ServerState } from "../../shared/protocol/sidecar.ts";
import { inOrder } from "../mcp/balance.ts";
import type { Member } from "./member.ts";
import type { TelemetryReport } from "./profile.ts";

/** What the pool told last, and when. */
export type Told = { agents: number; atMs: number };

/**
 * Servers that tell of the same agents. Each poll goes to one that answers, by turns; those that do not are
 * tried beside it, so that one that hangs keeps nobody waiting, and are asked themselves only when none answers.
 */
export class Pool {
  readonly name: string;
  readonly source: string;
  #members: readonly Member[];
  readonly #listeners = new Set<() => void>();
  #turn = 0;

  /** At least one member. `source` as `Agent.server_source`. */
  constructor(name: string, source: string, members: readonly Member[]) {
    this.name = name;
    this.source = source;
    this.#members = members;
  }

  /** At least one. A read that is under way goes on with those whom it began with. */
  set members(members: readonly Member[]) {
    this.#members = members;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Until some member's circuit lets a call through; 0: it does. */
  get retryInMs(): number {
    return Math.min(...this.#members.map(({ standing }) => standing.retryInMs));
  }

  /** @throws HivegateError as `LiveConnection.call`: what the last one failed by, when all failed */
  async read(): Promise<TelemetryReport> {
    const members = inOrder(
      this.#members.map((member) => ({ member, ...member.standing })),
      this.#turn++,
    ).map(({ member }) => member);
    const up = members.filter(({ isUp }) => isUp);
    if (up.length > 0) this.#probe(members.filter(({ isUp }) => !isUp));
    let failure: unknown;
    for (const member of up.length > 0 ? up : members) {
      try {
        return await member.read();
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** `listener` hears that a server is back which the polls had left out. Returns how to stop. */
  onReturn(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #probe(members: readonly Member[]): void {
    const back = () => {
      for (const listener of this.#listeners) listener();
    };
    for (const member of members) member.probe(back);
  }

  /** How each server is. `isWatched` false: nobody asks them, so what they told grows old. */
  servers(told: Told | null, isWatched: boolean): ServerState[] {
    return this.#members.map((member) => ({
      server: member.server.name,
      pool: this.name,
      server_source: this.source,
      status: member.isUp ? "available" : "unavailable",
      agents: member.isKnown ? (told?.agents ?? 0) : 0,
      stale_since: staleSince(member, told, isWatched),
      circuit: member.server.connection.circuit,
    }));
  }
}

/** What a server told to nobody does not make older data fresh. */
function staleSince({ isUp, freshAtMs }: Member, told: Told | null, isWatched: boolean): number | null {
  if (isUp) return isWatched ? null : (told?.atMs ?? null);
  return freshAtMs === null ? null : Math.min(freshAtMs, told?.atMs ?? freshAtMs);
}
