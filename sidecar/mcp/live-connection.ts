import { pause, platformClock } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Observe, timed } from "../../shared/metrics/timed.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Circuit } from "../../shared/protocol/sidecar.ts";
import type { CallOptions, McpConnection } from "./connection.ts";
import type { Notification, Params } from "./json-rpc-session.ts";
import type { Leaving } from "./leaving.ts";
import { LISTS_CHANGED } from "./list-changes.ts";
import { Superseded } from "./lost-connection.ts";
import { toolData } from "./tool-result.ts";
import type { Exchange, Opening, ServerInfo, Upstream } from "./upstream.ts";

/** Makes a connection, which opens nothing before `before` has come to its end. */
export type MakeConnection = (before: Promise<void>) => McpConnection;

export type LiveConnectionOptions = {
  name: string;
  /** Where connections go that were replaced, or whose server was taken away. */
  leaving: Leaving;
  /** Hears how each request went, the ones that the circuit breaker kept back included. */
  observe?: Observe;
};

const outcomeOf = (answer: McpAnswer): string => ("error" in answer ? "mcp_failed" : "ok");
const now = () => performance.now();

/**
 * The connection to the server of one name, for as long as there is one of this name: how it is reached may change while it
 * is used. Whoever asks is answered by the connection of that moment, also when another one has taken its place meanwhile;
 * whoever listens hears the present one.
 */
export class LiveConnection implements Upstream {
  readonly name: string;
  readonly #observe: Observe;
  readonly #leaving: Leaving;
  readonly #notified = new Set<(notification: Notification) => void>();
  readonly #troubled = new Set<() => void>();
  #current: McpConnection;
  #stopHearing: () => void;
  /** Connections before those of the present one. */
  #connections = 0;

  constructor(make: MakeConnection, { name, leaving, observe = () => {} }: LiveConnectionOptions) {
    this.name = name;
    this.#leaving = leaving;
    this.#observe = observe;
    this.#current = make(Promise.resolve());
    this.#stopHearing = this.#hear();
  }

  get connections(): number {
    return this.#connections + this.#current.connections;
  }

  /** As the server told them when it was connected to last; null before that. */
  get capabilities(): Record<string, unknown> | null {
    return this.#current.capabilities;
  }

  get isOpen(): boolean {
    return this.#current.isOpen;
  }

  /** Calls that wait for an answer, but for those of replaced connections. */
  get pending(): number {
    return this.#current.pending;
  }

  /** The last call got no answer. */
  get isFailing(): boolean {
    return this.#current.isFailing;
  }

  get circuit(): Circuit {
    return this.#current.circuit;
  }

  /** Milliseconds until the circuit lets a call through; 0: it does. */
  get retryInMs(): number {
    return this.#current.retryInMs;
  }

  info(opening?: Opening): Promise<ServerInfo> {
    return this.#asked((connection) => connection.info(opening));
  }

  exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer> {
    const told: Observe = (outcome, ms) => this.#observe(exchange.signal.aborted ? "cancelled" : outcome, ms);
    const ask = () => this.#asked((connection) => connection.exchange(request, exchange));
    return timed(ask, told, { now, outcomeOf });
  }

  notify(notification: Notification): void {
    this.#current.notify(notification);
  }

  /**
   * Calls a tool and gives its data (see `toolData`).
   * @throws HivegateError `mcp_failed` (the server or the tool says so), `mcp_unavailable` (no connection),
   * `timeout` (sent, no answer yet), `circuit_open` (not sent), `overloaded` (too many calls wait),
   * `unknown_server` (it was taken away), `shutting_down`
   */
  async call(tool: string, args: Params, options: CallOptions = {}): Promise<unknown> {
    return toolData(await this.request("tools/call", { name: tool, arguments: args }, options));
  }

  /** As `McpConnection.request`. @throws as `call` */
  request(method: string, params: Params, options: CallOptions = {}): Promise<unknown> {
    const ask = () => this.#asked((connection) => connection.request(method, params, options));
    return timed(ask, this.#observe, { now });
  }

  /** Milliseconds until the server answered, were it with an error. @throws as `call`, but not `mcp_failed` */
  async ping(options: CallOptions = {}): Promise<number> {
    const startedMs = now();
    try {
      await this.request("ping", {}, options);
    } catch (error) {
      if (!(error instanceof HivegateError && error.code === "mcp_failed")) throw error;
    }
    return Math.round(now() - startedMs);
  }

  /** `listener` hears what the server says unasked, over every reconnection and replacement. Returns how to stop. */
  onNotification(listener: (notification: Notification) => void): () => void {
    this.#notified.add(listener);
    return () => void this.#notified.delete(listener);
  }

  /** `listener` hears that an open connection was lost or replaced, or that the circuit changed. Returns how to stop. */
  onTrouble(listener: () => void): () => void {
    this.#troubled.add(listener);
    return () => void this.#troubled.delete(listener);
  }

  /**
   * From now on `make` makes the connection. What waits to be sent goes by the new one, what was sent is answered by the
   * old one, within a limit. The new one waits a while for the old one's end where that has nothing to do any more: a
   * server of which there can be one only, as with a lock, is not in its own way then.
   */
  replace(make: MakeConnection): void {
    const { isBusy, connections } = this.#current;
    this.#stopHearing();
    const ended = this.#leaving.add(this.#current, new Superseded());
    // What is known of the old one is out of date before the new one is connected to.
    this.#connections += connections + 1;
    this.#current = make(isBusy ? Promise.resolve() : soon(ended));
    this.#stopHearing = this.#hear();
    this.listsChanged();
    this.#trouble();
  }

  /** Tells those who listen that they may not know any more what there is. */
  listsChanged(): void {
    for (const change of LISTS_CHANGED) this.#tell(change);
  }

  /** There is no such server any more: whoever asks from now on hears that, and nobody hears anything of it. */
  end(): void {
    this.#stopHearing();
    this.#notified.clear();
    this.#troubled.clear();
    void this.#leaving.add(this.#current, new HivegateError("unknown_server"));
  }

  /** Whoever waits for an answer gets `shutting_down`, and so does whoever asks from now on. Resolves when all has ended. */
  close(): Promise<void> {
    return this.#current.close();
  }

  /** A connection that was replaced before it could be asked leaves it to its successor. */
  async #asked<T>(ask: (connection: McpConnection) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask(this.#current);
      } catch (error) {
        if (!(error instanceof Superseded)) throw error;
      }
    }
  }

  #hear(): () => void {
    const stops = [
      this.#current.onNotification((notification) => this.#tell(notification)),
      this.#current.onTrouble(() => this.#trouble()),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  #tell(notification: Notification): void {
    for (const listener of this.#notified) listener(notification);
  }

  #trouble(): void {
    for (const listener of this.#troubled) listener();
  }
}

/** Resolves with `ended`, or when that takes too long. */
function soon(ended: Promise<void>): Promise<void> {
  const over = new AbortController();
  void ended.then(() => over.abort());
  return pause(platformClock, LIMITS.successorWaitMs, over.signal);
}
