/** Watched resources: each is watched once at its server, whoever and however many want to hear of it. */
import { type Clock, pause } from "../../../shared/clock.ts";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import type { Upstream } from "../upstream.ts";
import { type RpcError, rpcErrorOf } from "./refused.ts";
import { ACKNOWLEDGED, RESOURCE_UPDATED } from "./revisions.ts";

type Heard = (notification: Notification) => void;

/** A resource that is watched. `begun` says whether the server agreed. */
type Watch = {
  watching: Watching;
  /** `Upstream.connections` when the server was asked last: a new one knows of nothing. Null: it has not agreed yet. */
  connections: number | null;
  listeners: Set<Heard>;
  begun: Promise<RpcError | null>;
  ending: AbortController;
};

/** How often it is looked whether a server was connected to anew, for as long as anything is watched. */
const LOOK_MS = 15_000;
/** How long to wait before a server of 2026 is listened to again. */
const LISTEN_AGAIN_MS = 2_000;

export class Subscriptions {
  readonly #clock: Clock;
  readonly #watches = new Map<string, Watch>();
  #cancelLook: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#watches.size;
  }

  /** `heard` hears that the resource, or one below it, has changed. Gives how to stop, or the server's error. */
  async add(upstream: Upstream, uri: string, client: string, heard: Heard): Promise<(() => void) | RpcError> {
    const name = JSON.stringify([upstream.name, uri]);
    const known = this.#watches.get(name);
    if (!known && this.#watches.size >= LIMITS.mcpSubscriptions)
      return rpcErrorOf(new HivegateError("overloaded"));
    const watch = known ?? this.#watch(name, upstream, uri, client);
    // Whoever wants it has an entry of its own, were it the same function.
    const listener: Heard = (notification) => heard(notification);
    watch.listeners.add(listener);
    const stop = () => {
      watch.listeners.delete(listener);
      if (watch.listeners.size > 0 || this.#watches.get(name) !== watch) return;
      this.#watches.delete(name);
      if (this.#watches.size === 0) this.#lookNoMore();
      watch.ending.abort(new HivegateError("shutting_down"));
    };
    const refusal = await watch.begun;
    if (!refusal) return stop;
    stop();
    return refusal;
  }

  #watch(name: string, upstream: Upstream, uri: string, client: string): Watch {
    const ending = new AbortController();
    const listeners = new Set<Heard>();
    const tell: Heard = (notification) => {
      if (concerns(notification, uri)) for (const listener of listeners) listener(notification);
    };
    const watching = { upstream, uri, client, ending: ending.signal, tell };
    const begun = this.#begin(watching);
    const watch: Watch = { watching, connections: null, listeners, ending, begun };
    void begun.then(() => {
      watch.connections = upstream.connections;
    });
    this.#watches.set(name, watch);
    this.#cancelLook ??= this.#clock.after(LOOK_MS, () => this.#look());
    return watch;
  }

  /** A server that was connected to anew is asked again, and what it may have told meanwhile is taken as told. */
  #look(): void {
    for (const watch of this.#watches.values()) {
      const { watching, connections } = watch;
      if (connections === null || watching.upstream.connections === connections) continue;
      watch.connections = watching.upstream.connections;
      // A server that is away again is asked when it is back.
      subscribeAgain(watching).catch(() => {});
    }
    this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#look());
  }

  #lookNoMore(): void {
    this.#cancelLook?.();
    this.#cancelLook = null;
  }

  async #begin(watching: Watching): Promise<RpcError | null> {
    try {
      const { era } = await watching.upstream.info();
      return await (era === "2025" ? subscribe(watching) : this.#listen(watching));
    } catch (thrown) {
      return rpcErrorOf(asHivegateError(thrown));
    }
  }

  /** Resolves when the server has agreed, or has not; once it has, an interruption is only that. */
  #listen(watching: Watching): Promise<RpcError | null> {
    const { promise, resolve } = Promise.withResolvers<RpcError | null>();
    let times = 0;
    const agreed = () => {
      if (times++ > 0) tellOfChange(watching);
      resolve(null);
    };
    const goOn = async () => {
      while (!watching.ending.aborted) {
        const answer = await listenOnce(watching, agreed);
        // Where it had not agreed before this is its refusal, and ends the watch.
        resolve("error" in answer ? answer.error : null);
        await pause(this.#clock, LISTEN_AGAIN_MS, watching.ending);
      }
    };
    void goOn();
    return promise;
  }
}

type Watching = { upstream: Upstream; uri: string; client: string; ending: AbortSignal; tell: Heard };

const askOf =
  ({ upstream, uri, client }: Watching) =>
  (method: string, signal: AbortSignal): Promise<McpAnswer> =>
    upstream.exchange({ method, params: { uri } }, { client, signal });

async function subscribe(watching: Watching): Promise<RpcError | null> {
  const { upstream, ending, tell } = watching;
  const ask = askOf(watching);
  const stop = upstream.onNotification(tell);
  ending.addEventListener("abort", stop);
  const answer = await ask("resources/subscribe", ending);
  if ("error" in answer) return answer.error;
  ending.addEventListener("abort", () => {
    // Nobody waits for this answer, and there is nobody to tell that it is an error.
    ask("resources/unsubscribe", AbortSignal.timeout(LIMITS.mcpConnectTimeoutMs)).catch(() => {});
  });
  return null;
}

async function subscribeAgain(watching: Watching): Promise<void> {
  const { era } = await watching.upstream.info();
  // One of 2026 is listened to again as soon as that is interrupted.
  if (era === "2026" || watching.ending.aborted) return;
  await askOf(watching)("resources/subscribe", watching.ending);
  tellOfChange(watching);
}

/** What happened to it in the meantime nobody knows. */
const tellOfChange = ({ uri, tell }: Watching): void => tell({ method: RESOURCE_UPDATED, params: { uri } });

async function listenOnce(
  { upstream, uri, client, ending, tell }: Watching,
  agreed: () => void,
): Promise<McpAnswer> {
  const params = { notifications: { resourceSubscriptions: [uri] } };
  try {
    return await upstream.exchange(
      { method: "subscriptions/listen", params },
      {
        client,
        signal: ending,
        onNotification: (notification) => {
          if (notification.method === ACKNOWLEDGED) agreed();
          else tell(notification);
        },
      },
    );
  } catch (thrown) {
    return { error: rpcErrorOf(asHivegateError(thrown)) };
  }
}

/** A server may tell of what lies below the resource that is watched. */
function concerns({ method, params }: Notification, uri: string): boolean {
  const { uri: changed } = params;
  if (method !== RESOURCE_UPDATED || typeof changed !== "string") return false;
  return changed === uri || changed.startsWith(uri.endsWith("/") ? uri : `${uri}/`);
}
