import type { Clock } from "../../../shared/clock.ts";
import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Logger } from "../../log.ts";
import type { JoinedCalls } from "../join.ts";
import type { Mirrored } from "../mirrored-arguments.ts";
import type { Exchange, Upstream } from "../upstream.ts";
import type { KeepAlive } from "./event-stream.ts";
import type { HeldCalls } from "./held-calls.ts";
import type { Listens } from "./listen.ts";
import type { LogLevels } from "./log-levels.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { Sessions } from "./sessions.ts";
import type { Subscriptions } from "./subscriptions.ts";

export type EndpointPorts = {
  /** The server of this name; null: all of them as one. Null when there is none. */
  upstream(name: string | null): Upstream | null;
  /** Lets equal calls share one answer; without it each call is one of its own. */
  joined?: Pick<JoinedCalls, "exchange">;
  /** Whether this server may be sent this request twice, where its answer was lost; without it none. */
  mayRepeat?(server: string, request: McpRequest): boolean;
  /** Which arguments of this server's tool have to be in headers too, as far as that is known; without it none. */
  mirrored?(server: string, tool: string): readonly Mirrored[] | Promise<readonly Mirrored[]>;
  /** Goes out with every answer: see `REGISTRY_HEADER`. */
  registryVersion(): string;
  clock: Clock;
  /** Not to be guessed: it names sessions and held calls. */
  uuid(): string;
  log: Pick<Logger, "warn">;
};

/** What all requests share. */
export type Shared = {
  ports: EndpointPorts;
  open: OpenRequests;
  pulse: KeepAlive;
  sessions: Sessions;
  held: HeldCalls;
  listens: Listens;
  subscriptions: Subscriptions;
  logLevels: LogLevels;
};

/** What an answer's head says beside its type. */
export type Head = {
  isJoined: boolean;
  /** Of a session that was opened. */
  sessionId: string | null;
  /** The one server that answers, where all of them were asked as one. */
  answeredBy: string | null;
  /** The code of the error that it is, or `tool` for a result that says so; null while neither is known. */
  failure: string | null;
};

/** One HTTP request, as far as its era does not matter. */
export type Incoming = {
  client: string;
  /** As in `EndpointPorts.upstream`. */
  server: string | null;
  upstream: Upstream;
  /** Set where its answer may be shared with equal calls. */
  join: string | null;
  header(name: string): string | undefined;
  trace: Exchange["trace"] | null;
  /** Aborted when the client leaves. */
  signal: AbortSignal;
  /** Filled in until it is sent. */
  head: Head;
};
