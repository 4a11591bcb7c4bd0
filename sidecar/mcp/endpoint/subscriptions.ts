/** Watched resources: each is watched once at its server, whoever and however many want to hear of it. */
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Upstream } from "../upstream.ts";
import { type RpcError, rpcErrorOf } from "./refused.ts";
import { Tally } from "./tally.ts";
import { type Heard, Watch } from "./watch.ts";

export class Subscriptions {
  readonly #clock: Clock;
  /** By server and URI, with those that are about to end. */
  readonly #ofServer = new Map<string, Map<string, Watch>>();
  readonly #ofClient = new Tally();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    const all = [...this.#ofServer.values()].flatMap((watches) => [...watches.values()]);
    return all.filter(({ isEnding }) => !isEnding).length;
  }

  /**
   * `heard` hears that the resource, or one below it, has changed, and `gone` that it is not watched any more because there
   * is no such server. Gives how to stop, or the server's error.
   */
  async add(
    upstream: Upstream,
    uri: string,
    client: string,
    heard: Heard,
    gone: () => void = () => {},
  ): Promise<(() => void) | RpcError> {
    const watch =
      this.#ofClient.of(client) < LIMITS.mcpSubscriptionsPerClient && this.#watch(upstream, uri, client);
    if (!watch) return rpcErrorOf(new HivegateError("overloaded"));
    // Whoever wants it has an entry of its own, were it the same function.
    const listener: Heard = (notification) => heard(notification);
    watch.listeners.add(listener);
    this.#ofClient.add(client, 1);
    const stop = () => {
      if (!watch.listeners.delete(listener)) return;
      this.#ofClient.add(client, -1);
      if (watch.listeners.size === 0) watch.end();
    };
    void watch.over.then(() => {
      if (!watch.listeners.has(listener)) return;
      stop();
      gone();
    });
    const refusal = await watch.begun;
    if (!refusal) return stop;
    stop();
    return refusal;
  }

  /** There is no such server any more. */
  forget(server: string): void {
    for (const watch of this.#ofServer.get(server)?.values() ?? []) watch.end();
  }

  /** One that ends is waited for: over HTTP the server could hear of the end last. Null: there is no room. */
  #watch(upstream: Upstream, uri: string, client: string): Watch | null {
    const watches = this.#ofServer.get(upstream.name) ?? new Map<string, Watch>();
    const known = watches.get(uri);
    if (known && !known.isEnding) return known;
    if (!known && watches.size >= LIMITS.mcpSubscriptions) return null;
    const watch = new Watch({ upstream, uri, client, clock: this.#clock }, known?.over);
    this.#ofServer.set(upstream.name, watches.set(uri, watch));
    void watch.over.then(() => {
      if (watches.get(uri) === watch) watches.delete(uri);
      if (watches.size === 0 && this.#ofServer.get(upstream.name) === watches)
        this.#ofServer.delete(upstream.name);
    });
    return watch;
  }
}
