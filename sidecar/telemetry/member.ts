import { HivegateError } from "../../shared/errors.ts";
import type { Logger } from "../log.ts";
import type { Standing } from "../mcp/balance.ts";
import type { McpServer } from "../mcp/servers.ts";
import type { CallTool, TelemetryProfile, TelemetryReport } from "./profile.ts";

export type MemberOptions = {
  server: Pick<McpServer, "name" | "pool"> & {
    connection: Pick<McpServer["connection"], "call" | "circuit" | "retryInMs" | "isFailing" | "pending">;
  };
  profile: TelemetryProfile;
  /** For each of a poll's calls. */
  timeoutMs: number;
  log: Logger;
  now: () => number;
};

/** One server of a pool, and whether it tells of the agents when it is asked. */
export class Member {
  readonly #options: MemberOptions;
  #isUp = false;
  #answeredAtMs: number | null = null;
  #missedSinceMs: number | null = null;
  #leftOut = 0;
  #isProbing = false;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  get server(): MemberOptions["server"] {
    return this.#options.server;
  }

  /** Whether it answered when it was asked last. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether it ever answered. */
  get isKnown(): boolean {
    return this.#answeredAtMs !== null;
  }

  /** When it answered last or, if it never did, was first missed; null: it was never asked. */
  get freshAtMs(): number | null {
    return this.#answeredAtMs ?? this.#missedSinceMs;
  }

  get standing(): Standing {
    const { retryInMs, pending, isFailing } = this.server.connection;
    return { retryInMs, pending, isFailing: isFailing || this.#missedSinceMs !== null };
  }

  /** @throws HivegateError as `LiveConnection.call` */
  async read(): Promise<TelemetryReport> {
    const { profile, server } = this.#options;
    try {
      const report = await profile.read(server.pool, this.#caller());
      this.#answered(report);
      return report;
    } catch (err) {
      if (!isOurOwn(err)) this.#missed(err);
      throw err;
    }
  }

  /**
   * Finds out beside the polls whether it is back, when its circuit lets it, and calls `back` if so. What it
   * tells is not used.
   */
  probe(back: () => void): void {
    if (this.#isProbing || this.server.connection.retryInMs > 0) return;
    this.#isProbing = true;
    const over = () => {
      this.#isProbing = false;
    };
    void this.read()
      .finally(over)
      .then(back, () => {});
  }

  /** A circuit that is not closed lets one call through at a time, so they are made one after the other. */
  #caller(): CallTool {
    const { server, timeoutMs } = this.#options;
    const { connection } = server;
    const call: CallTool = (tool, args) => connection.call(tool, args, { timeoutMs });
    if (connection.circuit.state === "closed") return call;
    let last: Promise<unknown> = Promise.resolve();
    return (tool, args) => {
      const next = last.then(() => call(tool, args));
      last = next.catch(() => {});
      return next;
    };
  }

  #answered({ leftOut }: TelemetryReport): void {
    const { log, now } = this.#options;
    const server = this.server.name;
    if (this.#missedSinceMs !== null) log.info({ server }, "the MCP server tells of its agents again");
    if (leftOut !== this.#leftOut) {
      log.warn({ server, leftOut }, "agents left out: their entries are not as expected");
    }
    this.#leftOut = leftOut;
    this.#isUp = true;
    this.#missedSinceMs = null;
    this.#answeredAtMs = now();
  }

  #missed(err: unknown): void {
    const { log, now } = this.#options;
    if (this.#missedSinceMs === null) {
      log.warn({ server: this.server.name, err }, "the MCP server does not tell of its agents");
    }
    this.#isUp = false;
    this.#missedSinceMs ??= now();
  }
}

/** Our own limits, or our own end, came first: nothing was learnt of the server. */
const isOurOwn = (err: unknown): boolean =>
  err instanceof HivegateError && (err.code === "overloaded" || err.code === "shutting_down");
