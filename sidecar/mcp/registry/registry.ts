import type { Clock } from "../../../shared/clock.ts";
import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import type { RegistryAnswer, ToolQuery } from "../../../shared/protocol/tools.ts";
import { selectTools } from "../../../shared/tools/search.ts";
import type { Logger } from "../../log.ts";
import type { Upstream } from "../upstream.ts";
import { RegisteredServer } from "./registered-server.ts";
import type { ServerSettings } from "./tool-entry.ts";

export type RegistryOptions = {
  /** In the order in which they were configured. */
  servers: readonly { upstream: Upstream; settings: ServerSettings }[];
  /** Names this run of the sidecar: versions of two runs are never the same. */
  epoch: string;
  clock: Clock;
  log: Logger;
};

/** What all MCP servers offer. One that does not answer delays nobody for long, and keeps what it had. */
export class Registry {
  readonly servers: readonly RegisteredServer[];
  readonly #epoch: string;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();

  constructor({ servers, epoch, clock, log }: RegistryOptions) {
    this.#epoch = epoch;
    const changed = () => {
      for (const listener of this.#listeners) listener();
    };
    this.servers = servers.map(
      (server) => new RegisteredServer({ ...server, clock, log, changed, signal: this.#closing.signal }),
    );
  }

  /** Changes whenever something of some server may have changed. Cheap: it goes with every answer. */
  get version(): string {
    return `${this.#epoch}.${this.servers.reduce((sum, { version }) => sum + version, 0)}`;
  }

  get(name: string): RegisteredServer | null {
    return this.servers.find((server) => server.name === name) ?? null;
  }

  /** Whether this server may be sent this request twice where no answer came: see `RegisteredServer.mayRepeat`. */
  mayRepeat(server: string, { method, params }: McpRequest): boolean {
    if (method !== "tools/call" || typeof params.name !== "string") return false;
    return this.get(server)?.mayRepeat(params.name) ?? false;
  }

  /** Resolves when all of them are as well known as they can be: see `RegisteredServer.upToDate`. */
  async upToDate(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.upToDate()));
  }

  /**
   * Whether this is the version still. It is said at once: where something may be out of date by its age alone, that is
   * found out meanwhile, and the next one who asks hears of it.
   */
  isStill(version: string): boolean {
    void this.upToDate();
    return version === this.version;
  }

  /** The servers with those of their tools that are asked for. */
  async answer(query: ToolQuery): Promise<RegistryAnswer> {
    const { server } = query;
    await (server === undefined ? this.upToDate() : this.get(server)?.upToDate());
    const servers = this.servers.map((one) => ({
      ...one.entry(),
      version: `${this.#epoch}.${one.version}`,
    }));
    return { version: this.version, servers: selectTools(servers, query) };
  }

  /** `listener` hears that a listing brought something new, or that a server went or came back. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Nothing is listed from now on, and whoever waits for a listing goes on. */
  close(): void {
    this.#closing.abort();
  }
}
