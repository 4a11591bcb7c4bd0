import { randomUUID } from "node:crypto";
import { HivegateError } from "../../shared/errors.ts";
import type { Logger } from "../log.ts";
import { type LinkOptions, McpLink } from "./link.ts";
import { LostConnection, StillOpening } from "./lost-connection.ts";
import type { Era, ServerInfo } from "./upstream.ts";
import type { OpenWire } from "./wire.ts";
import { unlessAborted, within } from "./within.ts";

export type SharedLinkOptions = {
  /** The server's name, for the log. */
  name: string;
  wire: OpenWire;
  /** Sent in an `authenticate` line before anything else; null where the server wants none. */
  token: string | null;
  /** In which era's words it is greeted first; `2025` where an unknown question could do harm. */
  era: Era;
  /** For each step: the connection, the greeting. */
  connectTimeoutMs: number;
  /** What has to be over before anything is opened, as for a process that must not run twice; never rejects. */
  before?: Promise<void>;
  log: Logger;
};

type Events = Pick<LinkOptions, "onNotification" | "onSilent"> & { onLost(): void };

/**
 * The one link to a server: it is opened when somebody needs it, and again when it was lost. Who needs it at the same
 * time shares one opening, and nothing is opened before all of the link before has ended, its process included.
 */
export class SharedLink {
  readonly #options: SharedLinkOptions;
  readonly #events: Events;
  readonly #closing = new AbortController();
  /** Why it is not opened any more; null while it may be. */
  #refusal: HivegateError | null = null;
  #link: McpLink | null = null;
  #ended: Promise<void>;
  #opening: Promise<McpLink> | null = null;
  #isFailing = false;
  #info: ServerInfo | null = null;
  #connections = 0;

  constructor(options: SharedLinkOptions, events: Events) {
    this.#options = options;
    this.#events = events;
    this.#ended = options.before ?? Promise.resolve();
  }

  /** Null while there is none that can be used. */
  get current(): McpLink | null {
    return this.#link?.isOpen ? this.#link : null;
  }

  /** What the server said when it was connected to last; null before that. */
  get info(): ServerInfo | null {
    return this.#info;
  }

  get connections(): number {
    return this.#connections;
  }

  /**
   * @throws HivegateError `mcp_unavailable`, also when it is not open in time; what it was retired or closed with; or the
   * signal's reason
   */
  async opened(timeoutMs: number, signal?: AbortSignal): Promise<McpLink> {
    if (this.current) return this.current;
    const opened = unlessAborted(this.#open(), this.#closing.signal);
    const inTime = within(opened, timeoutMs, () => new StillOpening(timeoutMs));
    return signal ? unlessAborted(inTime, signal) : inTime;
  }

  /** It is not opened any more: whoever waits for that, or would need it, gets `refusal`. An open link stays as it is. */
  retire(refusal: HivegateError): void {
    this.#refusal ??= refusal;
    if (!this.current) this.#closing.abort(this.#refusal);
  }

  /** Whoever waits for an answer gets `reason`, and so does whoever needs it from now on. */
  async close(reason: HivegateError): Promise<void> {
    this.#refusal ??= reason;
    const ended = this.#link?.close(reason);
    this.#closing.abort(this.#refusal);
    await Promise.all([ended, this.#opening?.catch(() => {})]);
    await this.#ended;
  }

  async #open(): Promise<McpLink> {
    if (this.#refusal) throw this.#refusal;
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #connect(): Promise<McpLink> {
    const { name, log } = this.#options;
    const link = await this.#greeted().catch((cause: unknown) => {
      if (this.#refusal) throw this.#refusal;
      // The first failure is news, those after it are the same one.
      log[this.#isFailing ? "debug" : "warn"]({ server: name, err: cause }, "cannot use the MCP server");
      this.#isFailing = true;
      throw new HivegateError("mcp_unavailable", undefined, { cause });
    });
    this.#isFailing = false;
    this.#link = link;
    this.#info = link.info;
    this.#connections++;
    log.info({ server: name, protocol: link.info?.protocolVersion }, "connected to the MCP server");
    return link;
  }

  /** A server that hangs up on a question of 2026 is connected to anew, and greeted in the words of 2025. */
  async #greeted(): Promise<McpLink> {
    const era = this.#info?.era ?? this.#options.era;
    try {
      return await this.#linked(era);
    } catch (error) {
      const mayBeTheWords =
        error instanceof LostConnection && era === "2026" && !this.#info && !this.#refusal;
      if (!mayBeTheWords) throw error;
      return await this.#linked("2025");
    }
  }

  async #linked(era: Era): Promise<McpLink> {
    await this.#ended;
    return McpLink.open({
      ...this.#options,
      era,
      newId: randomUUID,
      signal: this.#closing.signal,
      onNotification: (notification) => this.#events.onNotification(notification),
      onSilent: (ping) => this.#events.onSilent(ping),
      onMissed: () => void this.#connections++,
      onOver: (over) => this.#over(over),
    });
  }

  #over(link: McpLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#ended = link.close(new HivegateError("mcp_unavailable"));
    if (this.#closing.signal.aborted) return;
    this.#options.log.warn({ server: this.#options.name, ...link.counters }, "lost the MCP server");
    this.#events.onLost();
  }
}
