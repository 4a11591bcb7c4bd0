/**
 * The live stream of a hive: an always current picture, requests and followed tasks over one WebSocket that
 * is kept up by itself.
 */
import { type Clock, platformClock } from "../clock.ts";
import { asHivegateError, HivegateError } from "../errors.ts";
import type { Encoding, Filters, Mode } from "../protocol/client.ts";
import type { ConfigChanged } from "../protocol/config.ts";
import type { GatewayFrame, SUBPROTOCOL } from "../protocol/gateway.ts";
import type { Task } from "../swarm/task.ts";
import { ANSWER_TIMEOUT_MS } from "./answer-timeout.ts";
import { type Answer, answers, type Request, type RequestType } from "./answers.ts";
import { errorFromAnswer, GatewayUnreachable } from "./client-errors.ts";
import { ConfigNews } from "./config-news.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { createOnce, type NewTask } from "./create-task.ts";
import { Emitter } from "./emitter.ts";
import { type FollowListener, Follows } from "./follows.ts";
import { LivePicture } from "./live-picture.ts";
import { Requests } from "./requests.ts";
import type { ToolResult } from "./streamed-calls.ts";
import { TokenRefresh } from "./token-refresh.ts";
import { type CallToolOptions, Tools } from "./tools.ts";
import { type OpenSocket, openWebSocket, whenOnline } from "./web-socket.ts";
import { type Wanted, Wishes } from "./wishes.ts";

export type StreamOptions = {
  /** The gateway's address, http or https. */
  baseUrl: string;
  hive: string;
  token: string;
  /**
   * A fresh token for the same client: asked for before the one in use expires, and after, again with growing pauses
   * while it throws. One that the gateway has refused already ends the stream.
   */
  freshToken?: () => Promise<string>;
  filters?: Filters;
  mode?: Mode;
  /** `deflate`: large frames come compressed. `json` (default) costs the least work. */
  encoding?: Encoding;
  openSocket?: OpenSocket;
  clock?: Clock;
  /** In [0, 1). */
  random?: () => number;
};

export type StreamEvents = {
  /** The picture is another one. */
  change: LivePicture;
  state: ConnectionState;
  /** The gateway told of an error that answers no request. */
  error: HivegateError;
  /** A task created or followed over this connection is in another state. The picture's tasks tell of all of them. */
  task: Task;
  /**
   * The MCP servers' configuration is another one. All lists are empty where the names are not for this client, and where it
   * changed while there was no connection.
   */
  config_changed: ConfigChanged;
  frame: GatewayFrame;
};

const PROTOCOL: typeof SUBPROTOCOL = "hivegate.v1";
const CONFIGURE_TIMEOUT_MS = 10_000;
/** How long a snapshot asked for may take before it is asked for again. */
const RESYNC_EVERY_MS = 5_000;

export class HivegateStream {
  readonly picture = new LivePicture();
  readonly #config = new ConfigNews();
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #events = new Emitter<StreamEvents>();
  readonly #requests: Requests;
  readonly #follows: Follows;
  readonly #tools: Tools;
  readonly #stopListening: () => void;
  readonly #options: StreamOptions;
  readonly #refresh: TokenRefresh;
  readonly #wishes: Wishes;
  #resyncAskedMs = Number.NEGATIVE_INFINITY;
  #cancelResync: (() => void) | null = null;

  /** Connects at once. */
  constructor(options: StreamOptions) {
    const { clock = platformClock, random = Math.random, openSocket = openWebSocket } = options;
    const { filters, mode } = options;
    this.#clock = clock;
    this.#options = options;
    this.#requests = new Requests(clock);
    this.#follows = new Follows({
      clock,
      random,
      ask: (taskId, after) => this.request({ type: "follow_task", taskId, after }),
      stop: (taskId) => void this.#connection.send({ type: "unfollow_task", taskId }),
    });
    this.#tools = new Tools({
      clock,
      random,
      call: (frame, options) => this.request(frame, options),
      resume: (stream_id, after) => this.request({ type: "resume_tool", stream_id, after }),
      cancel: (stream_id) => void this.#connection.send({ type: "cancel_tool", stream_id }),
    });
    this.#wishes = new Wishes({
      wanted: { ...(filters && { filters }), ...(mode && { mode }) },
      clock,
      random,
      say: (wanted) => this.#configure(wanted),
      refused: (thrown) => this.#events.emit("error", asHivegateError(thrown)),
    });
    this.#connection = new Connection({
      address: () => this.#address(),
      replaceToken: options.freshToken ? () => this.#refresh.replace() : null,
      openSocket,
      clock,
      random,
      frame: (frame) => this.#receive(frame),
      state: (state) => this.#entered(state),
    });
    this.#refresh = new TokenRefresh({
      clock,
      random,
      token: options.token,
      fresh: options.freshToken ?? null,
      show: async (token) => lifeOf(await this.request({ type: "refresh_token", token })),
    });
    this.#stopListening = whenOnline(() => this.#connection.retryNow());
    this.#connection.dial();
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Of the MCP servers' configuration, as last told. Null: it was not, or the sidecar keeps none. */
  get configRevision(): number | null {
    return this.#config.revision;
  }

  /** Listens; the answer stops it. */
  on<Name extends keyof StreamEvents>(name: Name, listener: (value: StreamEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Sends a request and resolves with its answer. Nothing is sent twice: after `timeout` or a lost
   * connection the request may have taken effect.
   * @throws HivegateError what the gateway answered; GatewayUnreachable without a connection
   */
  async request<Type extends RequestType>(
    frame: { type: Type } & Request<Type>,
    options: { timeoutMs: number } = { timeoutMs: ANSWER_TIMEOUT_MS },
  ): Promise<Answer<Type>> {
    if (this.state.name !== "open")
      throw new GatewayUnreachable("There is no connection to the gateway now.");
    const send = (requestId: string) => void this.#connection.send({ ...frame, requestId });
    const answer = await this.#requests.start(send, options.timeoutMs);
    if (!answers<Type>(answer, frame.type))
      throw new HivegateError("internal", "The gateway's answer is of another kind.");
    return answer;
  }

  /**
   * Starts a task, or has it wait for its turn: once, also when the connection breaks before the answer
   * (`createOnce`). Its changes of state are told on this connection.
   */
  createTask(request: NewTask): Promise<Answer<"create_task">> {
    const { random = Math.random } = this.#options;
    const ports = { clock: this.#clock, random };
    return createOnce(request, (frame) => this.request({ type: "create_task", ...frame }), ports);
  }

  /**
   * Calls a tool by its server's name and its own, such as `claude-flow__agent_list`, and resolves with its result.
   * @throws HivegateError; ToolFailed what its server said; GatewayUnreachable; the reason of `signal`
   */
  callTool(tool: string, args: Record<string, unknown>, options: CallToolOptions = {}): Promise<ToolResult> {
    return this.#tools.call(tool, args, options);
  }

  /** Which agents to see, from now on and after each reconnect. */
  setFilters(filters: Filters): void {
    // What is held was seen through other filters: nothing can be gone on from until the new picture comes.
    this.picture.epoch = null;
    this.#wishes.want({ filters });
  }

  /** How often to be told, from now on and after each reconnect. */
  setMode(mode: Mode): void {
    this.#wishes.want({ mode });
  }

  /** Asks for the picture as it is now: in the mode `on_demand` it comes in no other way. */
  requestSnapshot(): void {
    this.#connection.send({ type: "get_snapshot" });
  }

  /**
   * Every event of a task, once and in order, until it has ended; across reconnects. The answer stops it.
   * A second follower of the same task takes the first one's place.
   * @throws HivegateError `overloaded` when too many tasks are followed
   */
  follow(taskId: string, listener: FollowListener): () => void {
    return this.#follows.add(taskId, listener);
  }

  /** For good. The last thing that is heard of it is its state. */
  close(): void {
    this.#stopListening();
    this.#inStep();
    this.#refresh.stop();
    this.#follows.clear();
    this.#connection.close();
    this.#events.clear();
  }

  #entered(state: ConnectionState): void {
    if (state.name === "open") this.#opened();
    else this.#notOpen();
    if (state.name === "closed")
      this.#tools.failAll(state.error ?? new GatewayUnreachable("The connection was closed."));
    this.#events.emit("state", state);
  }

  #opened(): void {
    this.#resyncAskedMs = Number.NEGATIVE_INFINITY;
    this.#wishes.opened();
    this.#follows.resume();
    this.#tools.resume();
  }

  #configure(wanted: Wanted): Promise<unknown> {
    // With other filters a picture comes by itself.
    if (wanted.filters) this.#resyncAskedMs = this.#clock.now();
    return this.request({ type: "configure", ...wanted }, { timeoutMs: CONFIGURE_TIMEOUT_MS });
  }

  #notOpen(): void {
    this.#inStep();
    this.#wishes.lost();
    this.#requests.failAll(
      new GatewayUnreachable("The connection was lost. The request may still have taken effect: look it up."),
    );
    if (this.picture.setLive(false, this.#clock.now())) this.#events.emit("change", this.picture);
  }

  #receive(frame: GatewayFrame): void {
    const outcome = this.picture.apply(frame);
    if (outcome === "gap") this.#resync();
    else if (frame.type === "snapshot" || frame.type === "agent_update") this.#inStep();
    if (!this.#requests.settle(frame)) this.#unasked(frame);
    const changed = this.#config.heard(frame);
    this.#events.emit("frame", frame);
    if (changed) this.#events.emit("config_changed", changed);
    if (outcome === "changed") this.#events.emit("change", this.picture);
  }

  #unasked(frame: GatewayFrame): void {
    if (frame.type === "welcome") this.#refresh.accepted(lifeOf(frame).lifeMs);
    else if (frame.type === "error") this.#events.emit("error", errorFromAnswer(400, frame));
    else if (frame.type === "task_update") this.#events.emit("task", frame.task);
    else if (frame.type === "task_event") this.#follows.event(frame.event);
    else if (frame.type === "task_unfollowed" && frame.reason !== "asked") this.#follows.lost(frame.taskId);
    else this.#tools.receive(frame);
  }

  /** Asks for what was missed, and again until it comes; the gateway sends a snapshot where it does not remember. */
  #resync(): void {
    if (this.#cancelResync) return;
    const nowMs = this.#clock.now();
    if (nowMs - this.#resyncAskedMs >= RESYNC_EVERY_MS) {
      this.#resyncAskedMs = nowMs;
      const { epoch, offset, view } = this.picture;
      this.#connection.send(
        epoch === null ? { type: "get_snapshot" } : { type: "resume", epoch, offset, view },
      );
    }
    this.#cancelResync = this.#clock.after(this.#resyncAskedMs + RESYNC_EVERY_MS - nowMs, () => {
      this.#cancelResync = null;
      this.#resync();
    });
  }

  /** Nothing is missing. */
  #inStep(): void {
    this.#cancelResync?.();
    this.#cancelResync = null;
  }

  /** Where the stream goes on from where it was, with what its owner wants now. */
  #address(): { url: string; protocols: string[] } {
    const { baseUrl, hive, encoding } = this.#options;
    const url = new URL(`/v1/hives/${encodeURIComponent(hive)}/stream`, baseUrl);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const { epoch, offset, view } = this.picture;
    const { filters, mode } = this.#wishes.withAddress();
    const query = {
      ...(filters && { filters: JSON.stringify(filters) }),
      ...(mode && { mode }),
      ...(encoding && { encoding }),
      ...(epoch !== null && { epoch, offset: String(offset), ...(view && { view }) }),
    };
    url.search = new URLSearchParams(query).toString();
    return { url: url.href, protocols: [PROTOCOL, this.#refresh.present()] };
  }
}

/** By one clock, the gateway's: the client's may be another. */
const lifeOf = (frame: { expires_at: number; timestamp: number }) => ({
  lifeMs: frame.expires_at - frame.timestamp,
});
