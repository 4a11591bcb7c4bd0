/**
 * A sidecar that says what a test tells it to, over real HTTP: it checks the gateway's signatures and streams its
 * telemetry as the real one does. It can fall silent, break connections off, and go away and come back.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { platformClock } from "../../shared/clock.ts";
import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import type { ConfigChanged, ConfigDifference } from "../../shared/protocol/config.ts";
import { Demand, type ServerState, type SwarmTopology } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import { formatEvent, SSE_HEADERS } from "../../shared/wire/sse.ts";
import { authenticate, type Signed } from "../../sidecar/http/authenticate.ts";
import { macKeys } from "../../sidecar/http/keys.ts";
import { parseBody, parseLastEventId, parseTelemetryRequest } from "../../sidecar/http/parse.ts";
import { toolStreamRoutes } from "../../sidecar/mcp/streams/routes.ts";
import { type CollectorNews, TelemetryHub, type TelemetrySource } from "../../sidecar/telemetry/hub.ts";
import type { PoolReport } from "../../sidecar/telemetry/picture.ts";
import { aServer } from "./agents.ts";
import { FakeRelay } from "./fake-relay.ts";
import { recordingLog } from "./recording-log.ts";
import { TEST_SECRET } from "./sidecar.ts";
import { streamedTools } from "./streamed-tools.ts";

type Events = (after: number) => AsyncIterable<TaskEvent>;
/** `body` is JSON; undefined: there was none. */
type Handler = (c: Context, body: unknown) => Response | Promise<Response>;

/** What it was asked. `body` is JSON; undefined: there was none. */
export type Asked = { method: string; path: string; body: unknown };

export class FakeSidecar {
  /** Keys as the gateway's settings have them. */
  readonly keys = { test: TEST_SECRET.toString("base64") };
  readonly relay = new FakeRelay(macKeys(new Map([["test", TEST_SECRET]])));
  /** Streamed calls of the tools of a server `demo`, which the test answers. */
  tools = streamedTools(platformClock);
  asked: Asked[] = [];
  epoch = "";
  readonly #server: Server;
  readonly #answers = new Map<string, Handler>();
  readonly #events = new Map<string, Events>();
  readonly #log = recordingLog().log;
  #port = 0;
  #swarm = new ScriptedSwarm();
  readonly #config = { revision: 1 };
  #tellConfig = (_change: ConfigChanged): void => {};
  #hub = this.#newHub();
  #answered: Promise<void> = Promise.resolve();

  constructor() {
    this.#server = createServer(getRequestListener(this.#routes().fetch));
    this.#server.on("upgrade", (request, socket, head) => void this.relay.upgrade(request, socket, head));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, always on the same port. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (typeof address === "object" && address) this.#port = address.port;
  }

  /** Gone, as a process that was killed is. What it knows stays. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.breakOff();
    await closed;
  }

  /** All connections break. */
  breakOff(): void {
    this.#server.closeAllConnections();
  }

  /** Another start: a new epoch, and nothing known but what `show` says next. */
  restart(): void {
    this.#hub.close();
    this.#swarm = new ScriptedSwarm();
    this.#hub = this.#newHub();
  }

  /** Another configuration of MCP servers is in force, and whoever reads is told; null: but not of this change. */
  configure(revision: number, change: ConfigDifference | null): void {
    this.#config.revision = revision;
    if (change) this.#tellConfig({ type: "config_changed", revision, timestamp: Date.now(), ...change });
  }

  /** As `restart`, and it was never asked anything, and has no answers. */
  reset(): void {
    this.asked = [];
    this.#answers.clear();
    this.#events.clear();
    this.relay.reset();
    this.forgetCalls();
    this.restart();
  }

  /** Streamed calls are over and forgotten, as when it is started anew. */
  forgetCalls(): void {
    this.tools.streams.close();
    this.tools = streamedTools(platformClock);
  }

  /** Takes requests and answers none, until the function that it gives is called. */
  hang(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answered = promise;
    return resolve;
  }

  /** The swarm is like this now. */
  show(agents: Agent[], swarms: SwarmTopology[] = []): void {
    this.#swarm.show({ agents, swarms });
  }

  taskChanged(task: Task): void {
    this.#hub.taskChanged(task);
  }

  /** `route` is `METHOD /path`. A `body` that is null takes the answer back. */
  answer(route: string, body: unknown, status = 200): void {
    if (body === null) this.#answers.delete(route);
    else this.handle(route, () => Response.json(body, { status }));
  }

  /** The same, where an answer depends on what is asked. */
  handle(route: string, handler: Handler): void {
    this.#answers.set(route, handler);
  }

  /** What a task's event stream says, after the event of this number. */
  follow(taskId: string, events: Events): void {
    this.#events.set(taskId, events);
  }

  get readers(): number {
    return this.#hub.readers;
  }

  /** How often its readers want news; null: not at all. */
  get intervalMs(): number | null {
    return this.#swarm.intervalMs;
  }

  countOf(path: string): number {
    return this.asked.filter((request) => request.path === path).length;
  }

  #routes(): Hono<Signed> {
    const auth = { keys: macKeys(new Map([["test", TEST_SECRET]])), hive: "default", now: Date.now };
    const app = new Hono<Signed>();
    app.use(authenticate({ ...auth, log: this.#log }).middleware);
    app.use(async (c, next) => {
      this.asked.push({ method: c.req.method, path: c.req.path, body: bodyOf(c) });
      await this.#answered;
      await next();
    });
    app.get("/v1/telemetry", (c) => this.#scripted(c) ?? this.#telemetry(c));
    app.post("/v1/telemetry/:reader", (c) => {
      this.#hub.demand(c.req.param("reader"), parseBody(Demand, c.get("body")).intervalMs);
      return c.json({ ok: true });
    });
    app.get("/v1/tasks/:id/events", (c) => this.#scripted(c) ?? this.#taskEvents(c));
    toolStreamRoutes(app, {
      start: (...call) => this.tools.streams.start(...call),
      get: (...which) => this.tools.streams.get(...which),
      read: (...which) => this.tools.streams.read(...which),
      cancel: (...which) => this.tools.streams.cancel(...which),
    });
    app.all("*", (c) => this.#scripted(c) ?? refusal(c, new HivegateError("not_found")));
    app.onError((thrown, c) => refusal(c, asHivegateError(thrown)));
    return app;
  }

  #scripted(c: Context<Signed>): Response | Promise<Response> | null {
    return this.#answers.get(`${c.req.method} ${c.req.path}`)?.(c, bodyOf(c)) ?? null;
  }

  #telemetry(c: Context): Response {
    return new Response(this.#hub.open(parseTelemetryRequest(c.req.query())));
  }

  #taskEvents(c: Context): Response {
    const events = this.#events.get(c.req.param("id") ?? "");
    if (!events) throw new HivegateError("unknown_task");
    const after = parseLastEventId(c.req.header("last-event-id"));
    return new Response(ReadableStream.from(asText(events(after))).pipeThrough(new TextEncoderStream()), {
      headers: SSE_HEADERS,
    });
  }

  #newHub(): TelemetryHub {
    this.epoch = randomUUID();
    const hub = new TelemetryHub({
      ...{ sources: [this.#swarm], watchContainer: () => () => {}, tasks: [] },
      ...{ epoch: this.epoch, log: this.#log, now: Date.now },
    });
    hub.watchConfigs({
      status: this.#config,
      onChange: (listener) => {
        this.#tellConfig = listener;
      },
    });
    // A source is listened to from its first reader on. The first picture of this one is to be whole.
    void hub.open({ reader: "first", intervalMs: 1, position: null }).cancel();
    return hub;
  }
}

/** In place of MCP servers: tells what the test says when it says so. */
class ScriptedSwarm implements TelemetrySource {
  readonly pool = "demo";
  intervalMs: number | null = null;
  #report: PoolReport = { agents: [], swarms: [] };
  #tell = (_news: CollectorNews): void => {};

  show(report: PoolReport): void {
    this.#report = report;
    this.#tell({ report, servers: this.servers() });
  }

  servers(): ServerState[] {
    return [aServer({ agents: this.#report.agents.length })];
  }

  watch(intervalMs: number | null, tell: (news: CollectorNews) => void): void {
    this.intervalMs = intervalMs;
    this.#tell = tell;
  }
}

function bodyOf(c: Context<Signed>): unknown {
  const bytes = c.get("body");
  return bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes));
}

const refusal = (c: Context, error: HivegateError): Response => c.json(error.toBody(), error.httpStatus);

async function* asText(events: AsyncIterable<TaskEvent>): AsyncGenerator<string, void, void> {
  for await (const event of events)
    yield formatEvent({ id: event.seq, event: event.kind, data: JSON.stringify(event) });
}
