import { type Backoff, backoffMs } from "../../shared/pressure/backoff.ts";
import type { Logger } from "../log.ts";
import type { McpServer } from "../mcp/servers.ts";
import type { AgentReport } from "./profile.ts";
import { TELEMETRY_PROFILES } from "./profiles.ts";

/** What a poll came to. `staleSinceMs` is when the data known before was fresh for the last time. */
export type CollectorNews =
  | { kind: "agents"; report: AgentReport; nowMs: number }
  | { kind: "failure"; staleSinceMs: number; nowMs: number };

export type CollectorOptions = {
  name: string;
  /** As `Agent.server_source`. */
  source: string;
  read(): Promise<AgentReport>;
  /** Calls `wake` when the server says by itself that something happened. Returns how to stop. */
  listen(wake: () => void): () => void;
  /** From the end of a poll to the next one. */
  intervalMs: number;
  log: Logger;
  now: () => number;
  random: () => number;
};

const RETRY: Backoff = { firstMs: 250, mostMs: 5_000 };
/** No client sees more than 60 pictures a second, however often a server calls. */
const SHORTEST_PAUSE_MS = 16;

/**
 * Asks one server about its agents for as long as somebody watches. Polls never overlap, and a pause is at
 * least as long as the poll before it took: a slow server is busy with us at most half of its time.
 */
export class Collector {
  readonly #options: CollectorOptions;
  #tell: ((news: CollectorNews) => void) | null = null;
  #stopListening = () => {};
  #timer: NodeJS.Timeout | null = null;
  #isPolling = false;
  #wasWoken = false;
  #earliestMs = 0;
  #failuresInARow = 0;
  #freshAtMs: number | null = null;
  #leftOut = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get source(): string {
    return this.#options.source;
  }

  /** When the server answered last, or, if it never did, was first missed; null: it was never asked. */
  get freshAtMs(): number | null {
    return this.#freshAtMs;
  }

  /** Begins with a poll at once. */
  start(tell: (news: CollectorNews) => void): void {
    if (this.#tell) return;
    this.#tell = tell;
    this.#stopListening = this.#options.listen(() => this.#wake());
    // A poll that was under way when the last one stopped watching will do.
    if (!this.#isPolling) this.#pollAfter(0);
  }

  stop(): void {
    this.#tell = null;
    this.#stopListening();
    this.#unschedule();
  }

  /** Any number of calls during a pause are one reason to end it. */
  #wake(): void {
    if (this.#isPolling) this.#wasWoken = true;
    else if (this.#timer) this.#pollAfter(this.#earliestMs - this.#options.now());
  }

  #pollAfter(waitMs: number): void {
    this.#unschedule();
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, waitMs));
  }

  #unschedule(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #poll(): Promise<void> {
    const startedMs = this.#options.now();
    this.#timer = null;
    this.#isPolling = true;
    this.#wasWoken = false;
    const outcome = await this.#options.read().then(
      (report) => ({ report }),
      (error: unknown) => ({ error }),
    );
    this.#isPolling = false;
    // What nobody heard of does not count: it must not make older data look fresh.
    if (!this.#tell) return;
    const nowMs = this.#options.now();
    const waitMs =
      "report" in outcome ? this.#answered(outcome.report, nowMs) : this.#failed(outcome.error, nowMs);
    // Whoever was told may have had enough.
    if (!this.#tell) return;
    const shortestMs = Math.max(SHORTEST_PAUSE_MS, nowMs - startedMs);
    this.#earliestMs = nowMs + shortestMs;
    this.#pollAfter(this.#wasWoken ? shortestMs : Math.max(waitMs, shortestMs));
  }

  #answered(report: AgentReport, nowMs: number): number {
    const { name, log, intervalMs } = this.#options;
    if (this.#failuresInARow > 0) log.info({ server: name }, "the MCP server tells of its agents again");
    if (report.leftOut !== this.#leftOut) {
      log.warn(
        { server: name, leftOut: report.leftOut },
        "agents left out: their entries are not as expected",
      );
    }
    this.#leftOut = report.leftOut;
    this.#failuresInARow = 0;
    this.#freshAtMs = nowMs;
    this.#tell?.({ kind: "agents", report, nowMs });
    return intervalMs;
  }

  #failed(err: unknown, nowMs: number): number {
    const { name, log, random } = this.#options;
    if (this.#failuresInARow === 0)
      log.warn({ server: name, err }, "the MCP server does not tell of its agents");
    // A server that never answered has been missed since now.
    this.#freshAtMs ??= nowMs;
    this.#tell?.({ kind: "failure", staleSinceMs: this.#freshAtMs, nowMs });
    return backoffMs(RETRY, this.#failuresInARow++, random());
  }
}

/** The collector for one configured server. `timeoutMs` is for each of a poll's calls. */
export function collectorFor(
  server: McpServer,
  options: { intervalMs: number; timeoutMs: number; log: Logger; now: () => number; random: () => number },
): Collector {
  const profile = TELEMETRY_PROFILES[server.profile];
  const { timeoutMs, ...rest } = options;
  return new Collector({
    name: server.name,
    source: profile.serverSource,
    read: () =>
      profile.readAgents(server.name, (tool, args) => server.connection.call(tool, args, { timeoutMs })),
    listen: (wake) => server.connection.onNotification(wake),
    ...rest,
  });
}
