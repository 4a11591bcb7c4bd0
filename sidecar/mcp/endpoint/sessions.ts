/** All sessions. Each belongs to one client; those that nobody uses go by one timer, which is there only while there are any. */
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Upstream } from "../upstream.ts";
import { EventBudget } from "./event-log.ts";
import type { KeepAlive } from "./event-stream.ts";
import { Session, type SessionFacts } from "./session.ts";

export class Sessions {
  readonly #clock: Clock;
  readonly #pulse: KeepAlive;
  readonly #budget = new EventBudget();
  /** The one unused longest first. */
  readonly #sessions = new Map<string, Session>();
  /** Likewise. */
  readonly #ofClient = new Map<string, Set<Session>>();
  #stopSweep: (() => void) | null = null;

  constructor(clock: Clock, pulse: KeepAlive) {
    this.#clock = clock;
    this.#pulse = pulse;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get eventBytes(): number {
    return this.#budget.bytes;
  }

  /** @throws HivegateError `overloaded` */
  open(facts: SessionFacts): Session {
    const own = this.#ofClient.get(facts.client);
    if (own && own.size >= LIMITS.mcpSessionsPerClient) this.#makeRoom(own);
    if (this.#sessions.size >= LIMITS.mcpSessions) this.#makeRoom(this.#sessions.values());
    const session = new Session(facts, { clock: this.#clock, pulse: this.#pulse, budget: this.#budget });
    this.#sessions.set(facts.id, session);
    const all = this.#ofClient.get(facts.client) ?? new Set<Session>();
    this.#ofClient.set(facts.client, all.add(session));
    this.#stopSweep ??= this.#clock.after(LIMITS.mcpSessionSweepMs, () => this.#sweep());
    return session;
  }

  /** The session, if it is this client's for this server. */
  find(id: string, client: string, server: string | null): Session | null {
    const session = this.#sessions.get(id);
    if (!session || session.facts.client !== client || session.facts.server !== server) return null;
    session.usedMs = this.#clock.now();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    const own = this.#ofClient.get(client);
    own?.delete(session);
    own?.add(session);
    return session;
  }

  end(session: Session): void {
    const { id, client } = session.facts;
    if (!this.#sessions.delete(id)) return;
    const own = this.#ofClient.get(client);
    own?.delete(session);
    if (own?.size === 0) this.#ofClient.delete(client);
    session.end();
    if (this.#sessions.size > 0) return;
    this.#stopSweep?.();
    this.#stopSweep = null;
  }

  /** This server is there no more: its sessions end when what is under way in them is answered. */
  leave(upstream: Upstream): void {
    for (const session of [...this.#sessions.values()])
      if (session.facts.server === upstream.name) session.leave(upstream, () => this.end(session));
  }

  close(): void {
    for (const session of this.#sessions.values()) this.end(session);
  }

  #makeRoom(among: Iterable<Session>): void {
    for (const session of among) {
      if (session.isBusy) continue;
      this.end(session);
      return;
    }
    throw new HivegateError("overloaded", "Too many sessions are open. Close one, or try again later.");
  }

  #sweep(): void {
    this.#stopSweep = null;
    const idleSinceMs = this.#clock.now() - LIMITS.mcpSessionIdleMs;
    for (const session of this.#sessions.values())
      if (!session.isBusy && session.usedMs <= idleSinceMs) this.end(session);
    if (this.#sessions.size > 0)
      this.#stopSweep = this.#clock.after(LIMITS.mcpSessionSweepMs, () => this.#sweep());
  }
}
