/** A 2025 server has one log level for all its clients: the most talkative that one of them asked for. Each hears what it wants. */
import { LIMITS } from "../../../shared/limits.ts";
import type { ServerInfo, Upstream } from "../upstream.ts";
import type { RpcError } from "./refused.ts";
import { isLower } from "./translate/log-level.ts";

export class LogLevels {
  /** By name: a server is known by several objects. */
  readonly #ofServer = new Map<string, ServerLevel>();

  /**
   * The server's error, where it does not agree; of several servers none: one that cannot is no reason to refuse.
   * `timeoutMs`: how long it is waited for a connection. @throws as `Upstream.exchange`
   */
  async want(
    level: string,
    upstream: Upstream,
    client: string,
    timeoutMs: number = LIMITS.mcpExchangeMs,
  ): Promise<RpcError | null> {
    if (upstream.logging) {
      const all = upstream.logging().map((one) => this.want(level, one, client, LIMITS.mcpLogLevelMs));
      await Promise.allSettled(all);
      return null;
    }
    const { signal } = new AbortController();
    if (!hasLevel(await upstream.info({ signal, timeoutMs }))) return null;
    const known = this.#ofServer.get(upstream.name) ?? new ServerLevel(upstream);
    this.#ofServer.set(upstream.name, known);
    return known.want(level, client);
  }

  /**
   * Resolves when a server that was connected to anew, and may be another one now, was told once more what is wanted. Null:
   * there is nothing to tell.
   */
  renewed(upstream: Upstream, info: ServerInfo, client: string): Promise<void> | null {
    const known = this.#ofServer.get(upstream.name);
    return known && hasLevel(info) ? known.renewed(client) : null;
  }

  /** There is no such server any more. */
  forget(server: string): void {
    this.#ofServer.delete(server);
  }
}

/** One of 2026 is told with each request; one that has no log has nothing to be set. */
const hasLevel = ({ era, capabilities }: ServerInfo): boolean =>
  era === "2025" && capabilities.logging !== undefined;

type Asking = { level: string; refusal: Promise<RpcError | null> };

class ServerLevel {
  readonly #upstream: Upstream;
  /** What the server agreed to last, and on which connection. */
  #agreed: { level: string; connections: number } | null = null;
  /** On which connection it was asked last, were it in vain. */
  #askedOn: number | null = null;
  #asking: Asking | null = null;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** It is asked one at a time; those who want the same of it meanwhile share its answer. */
  async want(level: string, client: string): Promise<RpcError | null> {
    while (!this.#isSet(level)) {
      const asking = this.#asking ?? this.#ask(level, client);
      const refusal = await asking.refusal;
      if (!isLower(level, asking.level)) return refusal;
    }
    return null;
  }

  /** Once on each connection: one that does not take it then goes on as it does. */
  renewed(client: string): Promise<void> | null {
    const { connections } = this.#upstream;
    if (!this.#agreed || this.#agreed.connections === connections || this.#askedOn === connections)
      return null;
    return this.want(this.#agreed.level, client).then(
      () => {},
      () => {},
    );
  }

  #isSet(level: string): boolean {
    const agreed = this.#agreed;
    return agreed?.connections === this.#upstream.connections && !isLower(level, agreed.level);
  }

  /** What others wanted before is wanted still. */
  #ask(wanted: string, client: string): Asking {
    const before = this.#agreed?.level ?? wanted;
    const level = isLower(before, wanted) ? before : wanted;
    const refusal = this.#tell(level, client).finally(() => {
      this.#asking = null;
    });
    this.#asking = { level, refusal };
    return this.#asking;
  }

  async #tell(level: string, client: string): Promise<RpcError | null> {
    const { connections } = this.#upstream;
    this.#askedOn = connections;
    const answer = await this.#upstream.exchange(
      { method: "logging/setLevel", params: { level } },
      { client, signal: new AbortController().signal, timeoutMs: LIMITS.mcpLogLevelMs },
    );
    if ("error" in answer) return answer.error;
    this.#agreed = { level, connections };
    return null;
  }
}
