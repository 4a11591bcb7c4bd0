/** One resource that is watched at its server, for as long as somebody wants to hear of it. */
import { type Clock, pause } from "../../../shared/clock.ts";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import type { Exchange, Upstream } from "../upstream.ts";
import { type RpcError, rpcErrorOf } from "./refused.ts";
import { ACKNOWLEDGED, RESOURCE_UPDATED } from "./revisions.ts";

export type Heard = (notification: Notification) => void;

export type Watched = { upstream: Upstream; uri: string; client: string; clock: Clock };

/** How often it is looked whether the server of 2025 that agreed is still connected to. */
const LOOK_MS = 15_000;
/** How long to wait before a server that refused, could not be reached, or stopped telling is asked again. */
const AGAIN_MS = 2_000;

export class Watch {
  /** Each hears that the resource, or one below it, has changed, or may have. */
  readonly listeners = new Set<Heard>();
  /** Null when the server has agreed for the first time, or what it, or the way to it, had against that. */
  readonly begun: Promise<RpcError | null>;
  /** Resolves when the server has been told that nobody wants to hear of it any more. */
  readonly over: Promise<void>;
  readonly #watched: Watched;
  readonly #ending = new AbortController();
  #begin: (refusal: RpcError | null) => void = () => {};
  #hasAgreed = false;

  /** `before`: what has to be over first, because it would undo what this begins. */
  constructor(watched: Watched, before: Promise<void> = Promise.resolve()) {
    this.#watched = watched;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.over = before.then(() => this.#goOn());
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  end(): void {
    this.#ending.abort(new HivegateError("shutting_down"));
  }

  /** Once the server has agreed, whatever keeps it from telling is an interruption. */
  async #goOn(): Promise<void> {
    while (!this.isEnding) {
      this.#begin(await this.#once());
      await pause(this.#watched.clock, AGAIN_MS, this.#ending.signal);
    }
  }

  /** Resolves when the server tells no more, or has not begun to. Never rejects. */
  async #once(): Promise<RpcError | null> {
    try {
      const { era } = await this.#watched.upstream.info();
      const answer = await (era === "2025" ? this.#subscribed() : this.#listened());
      return "error" in answer ? answer.error : null;
    } catch (thrown) {
      return rpcErrorOf(asHivegateError(thrown));
    }
  }

  async #subscribed(): Promise<McpAnswer> {
    const { upstream, uri, clock } = this.#watched;
    const { connections } = upstream;
    const isSame = () => upstream.isOpen && upstream.connections === connections;
    const lost = new AbortController();
    const over = AbortSignal.any([this.#ending.signal, lost.signal]);
    const stop = upstream.onNotification((notification) => {
      this.#tell(notification);
      // Whoever says something is another one: the server was replaced, as its lists say then.
      if (!isSame()) lost.abort();
    });
    try {
      const answer = await this.#ask({ method: "resources/subscribe", params: { uri } });
      if ("error" in answer) return answer;
      this.#agreed();
      while (isSame() && !this.isEnding) await pause(clock, LOOK_MS, over);
      // Another connection knows nothing of it.
      if (isSame()) await this.#unsubscribe();
      return answer;
    } finally {
      stop();
    }
  }

  /** Nobody waits for this answer, and there is nobody to tell that it is an error. */
  async #unsubscribe(): Promise<void> {
    const { upstream, uri, client } = this.#watched;
    const signal = AbortSignal.timeout(LIMITS.mcpConnectTimeoutMs);
    const request = { method: "resources/unsubscribe", params: { uri } };
    await upstream.exchange(request, { client, signal }).catch(() => {});
  }

  #listened(): Promise<McpAnswer> {
    const notifications = { resourceSubscriptions: [this.#watched.uri] };
    return this.#ask({ method: "subscriptions/listen", params: { notifications } }, (notification) => {
      if (notification.method === ACKNOWLEDGED) this.#agreed();
      else this.#tell(notification);
    });
  }

  #ask(request: McpRequest, onNotification?: Exchange["onNotification"]): Promise<McpAnswer> {
    const { upstream, client } = this.#watched;
    const { signal } = this.#ending;
    return upstream.exchange(request, { client, signal, ...(onNotification && { onNotification }) });
  }

  /** What happened to it since the server told last nobody knows. */
  #agreed(): void {
    if (this.#hasAgreed) this.#tell({ method: RESOURCE_UPDATED, params: { uri: this.#watched.uri } });
    this.#hasAgreed = true;
    this.#begin(null);
  }

  #tell(notification: Notification): void {
    if (!concerns(notification, this.#watched.uri)) return;
    for (const listener of this.listeners) listener(notification);
  }
}

/** A server may tell of what lies below the resource that is watched. */
function concerns({ method, params }: Notification, uri: string): boolean {
  const { uri: changed } = params;
  if (method !== RESOURCE_UPDATED || typeof changed !== "string") return false;
  return changed === uri || changed.startsWith(uri.endsWith("/") ? uri : `${uri}/`);
}
