/**
 * The asking end of JSON-RPC, without sockets or time: it makes the messages to send, takes those received, and brings
 * each answer, and what is said before it, to whoever asked.
 */
import { SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/client";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import { isRecord } from "./record.ts";
import { UnreadableAnswer } from "./unreadable-answer.ts";
import type { Exchange } from "./upstream.ts";
import type { OutgoingRequest } from "./wire.ts";

export type Params = Record<string, unknown>;
export type Notification = { method: string; params: Params };

/** Whoever waits for an answer. One of `resolve` and `reject` is called, once. */
export type Asker = {
  method: string;
  /** What belongs to the request; null: Hivegate asks for itself. */
  exchange: Exchange | null;
  /** What the client calls this request's progress; undefined: it wants to hear of none. */
  progressToken?: unknown;
  resolve(answer: McpAnswer): void;
  reject(error: Error): void;
  /** The server is still at it. */
  progressed?(): void;
};

/** `unclear`: it may be about somebody else's call as well, or about one that was given up. */
export type Whose = Asker | "nobody" | "unclear";

export type Question = { id: string | number; request: McpRequest; whose: Whose };

/** What has to be done about a message that was received; mostly nothing. */
export type Received =
  | { kind: "handled" | "ignored" }
  /** For everybody who listens. */
  | { kind: "notification"; notification: Notification }
  | { kind: "question"; question: Question }
  /** The server wants no answer any more to what it asked. */
  | { kind: "withdrawn"; id: unknown }
  /** The server wants nothing to do with us, and will hang up. `reason` is for the log alone. */
  | { kind: "refused"; reason: string };

const HANDLED: Received = { kind: "handled" };
const IGNORED: Received = { kind: "ignored" };
/** It goes back in the answer, so a long one would be held for as long as it is not read. */
const QUESTION_ID_CHARS = 100;
/** Requests in the course of which a server may ask the client something, or log what it does. */
const INTERACTIVE = new Set(["tools/call", "prompts/get", "resources/read"]);
const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";
/** What concerns all clients, whoever's stream it came by. */
const SERVER_WIDE = /(list_changed|resources\/updated)$/;

/** `client` null: it was our own. `isKnown`: the server has heard of it. */
type GivenUp = { client: string | null; untilMs: number; isKnown: boolean };

export class JsonRpcSession {
  readonly #newId: () => string;
  readonly #now: () => number;
  readonly #askers = new Map<string, Asker>();
  /** Calls that nobody waits for and that may go on at the server, oldest first. */
  readonly #givenUp = new Map<string, GivenUp>();
  /** The server has answered what it knew to be cancelled, so it may go on with anything. */
  #goesOn = false;
  /** Answers nobody here waits for: late ones, second ones, and those to other clients, which some servers broadcast. */
  unknownIds = 0;
  /** Messages that are not JSON-RPC, such as a log that went astray. */
  strangeLines = 0;
  /** Log lines of which it cannot be told whose call they are about. */
  unclearLogs = 0;

  /** `newId` must be unique among all clients of the server: some route answers by the bare id. `now` in milliseconds. */
  constructor(newId: () => string, now: () => number) {
    this.#newId = newId;
    this.#now = now;
  }

  /** Send `message`; the answer goes to `asker`. `params` may say what the request's id is to be in them. */
  ask(params: Params | ((id: string) => Params), asker: Asker): OutgoingRequest {
    const id = this.#newId();
    const said = typeof params === "function" ? params(id) : params;
    this.#askers.set(id, asker);
    return { jsonrpc: "2.0", id, method: asker.method, params: said };
  }

  /** Nobody waits for this answer any more. */
  forget(id: string): void {
    this.#askers.delete(id);
  }

  /** The same where a wire has no stream for each request: what the server still says of the call is for nobody else. */
  giveUp(id: string): void {
    const asker = this.#askers.get(id);
    this.forget(id);
    if (!asker || !INTERACTIVE.has(asker.method)) return;
    const nowMs = this.#now();
    const client = asker.exchange?.client ?? null;
    this.#givenUp.set(id, { client, untilMs: nowMs + LIMITS.mcpGivenUpMs, isKnown: false });
    for (const [oldest, { untilMs }] of this.#givenUp) {
      if (untilMs > nowMs && this.#givenUp.size <= LIMITS.mcpGivenUpCalls) break;
      this.#givenUp.delete(oldest);
    }
  }

  /** The server knows that this call was given up, and should have ended it. */
  cancelled(id: string): void {
    const call = this.#givenUp.get(id);
    if (call) call.isKnown = true;
  }

  /** This answer will not come. */
  fail(id: string, error: Error): void {
    const asker = this.#askers.get(id);
    this.#askers.delete(id);
    asker?.reject(error);
  }

  /** No answer will come any more. */
  failAll(error: Error): void {
    const askers = [...this.#askers.values()];
    this.#askers.clear();
    for (const asker of askers) asker.reject(error);
  }

  /** `message` and `stream` as `WireEvents.onMessage` says them. */
  receive(message: unknown, stream?: string): Received {
    if (!isRecord(message)) return this.#strange();
    if ("method" in message) return this.#said(message, stream);
    const { error } = message;
    if (typeof error === "string" && Object.keys(message).length === 1)
      return { kind: "refused", reason: error };
    return this.#answered(message);
  }

  #answered(message: Record<string, unknown>): Received {
    const { id } = message;
    const asker = typeof id === "string" ? this.#askers.get(id) : undefined;
    if (!asker || typeof id !== "string") {
      if (typeof id === "object" && id !== null) return this.#strange();
      this.#late(message);
      this.unknownIds++;
      return IGNORED;
    }
    this.#askers.delete(id);
    const answer = answerIn(message);
    if (answer) asker.resolve(answer);
    else asker.reject(new UnreadableAnswer(new Error("neither a result nor an error")));
    return HANDLED;
  }

  #late({ id, result }: Record<string, unknown>): void {
    const call = typeof id === "string" ? this.#givenUp.get(id) : undefined;
    if (!call || typeof id !== "string") return;
    this.#givenUp.delete(id);
    if (call.isKnown && result !== undefined) this.#goesOn = true;
  }

  #said(message: Record<string, unknown>, stream: string | undefined): Received {
    const { jsonrpc, id, method, params = {} } = message;
    if (jsonrpc !== "2.0" || typeof method !== "string" || !isRecord(params)) return this.#strange();
    if (id === undefined || id === null) return this.#notified({ method, params }, stream);
    const isUsable = typeof id === "number" || (typeof id === "string" && id.length <= QUESTION_ID_CHARS);
    if (!isUsable) return this.#strange();
    return { kind: "question", question: { id, request: { method, params }, whose: this.#whose(stream) } };
  }

  #notified(notification: Notification, stream: string | undefined): Received {
    const { method, params } = notification;
    const subscription = isRecord(params._meta) ? params._meta[SUBSCRIPTION_ID_META_KEY] : undefined;
    if (typeof subscription === "string") return this.#subscribed(notification, subscription);
    switch (method) {
      case "notifications/progress":
        return this.#progressed(params);
      case "notifications/cancelled":
        return { kind: "withdrawn", id: params.requestId };
      case "notifications/message":
        return this.#logged(notification, stream);
    }
    if (stream === undefined || SERVER_WIDE.test(method)) return { kind: "notification", notification };
    const asker = this.#askers.get(stream);
    if (!asker) return IGNORED;
    if (!asker.exchange) return { kind: "notification", notification };
    asker.exchange.onNotification?.(notification);
    return HANDLED;
  }

  /** Never told to anybody but the one whose token it carries. */
  #progressed(params: Params): Received {
    const asker =
      typeof params.progressToken === "string" ? this.#askers.get(params.progressToken) : undefined;
    if (!asker) return IGNORED;
    asker.progressed?.();
    if (asker.progressToken === undefined) return HANDLED;
    const own = { ...params, progressToken: asker.progressToken };
    asker.exchange?.onNotification?.({ method: "notifications/progress", params: own });
    return HANDLED;
  }

  /** A log line may tell what is in a call, so it is for that call's client alone. */
  #logged(notification: Notification, stream: string | undefined): Received {
    const whose = this.#whose(stream);
    if (whose === "nobody") return { kind: "notification", notification };
    if (whose === "unclear") this.unclearLogs++;
    else whose.exchange?.onNotification?.(notification);
    return HANDLED;
  }

  /** To whoever subscribed; Hivegate itself does so for everybody. */
  #subscribed({ method, params }: Notification, subscription: string): Received {
    const asker = this.#askers.get(subscription);
    if (!asker) return IGNORED;
    const notification = { method, params: withoutSubscription(params) };
    if (!asker.exchange && method !== ACKNOWLEDGED) return { kind: "notification", notification };
    asker.exchange?.onNotification?.(notification);
    return HANDLED;
  }

  /**
   * Where a wire has no stream for each request: the latest call, if only one client has calls under way, or had some that
   * may go on. Our own calls are nobody's: what is said of those is told to no client.
   */
  #whose(stream: string | undefined): Whose {
    if (stream !== undefined) return this.#askers.get(stream) ?? "unclear";
    let latest: Asker | null = null;
    for (const asker of this.#askers.values()) {
      if (!INTERACTIVE.has(asker.method)) continue;
      if (!asker.exchange || (latest && latest.exchange?.client !== asker.exchange.client)) return "unclear";
      latest = asker;
    }
    const nowMs = this.#now();
    for (const { client, untilMs, isKnown } of this.#givenUp.values()) {
      const mayGoOn = untilMs > nowMs && (this.#goesOn || !isKnown);
      if (mayGoOn && client !== latest?.exchange?.client) return "unclear";
    }
    return latest ?? "nobody";
  }

  #strange(): Received {
    this.strangeLines++;
    return IGNORED;
  }
}

function answerIn({ jsonrpc, result, error }: Record<string, unknown>): McpAnswer | null {
  if (jsonrpc !== "2.0") return null;
  if (error === undefined) return isRecord(result) ? { result } : null;
  if (!isRecord(error)) return null;
  const { code, message, data } = error;
  if (typeof code !== "number" || typeof message !== "string") return null;
  return { error: { code, message, ...(data !== undefined && { data }) } };
}

function withoutSubscription(params: Params): Params {
  const meta = isRecord(params._meta) ? params._meta : {};
  const { [SUBSCRIPTION_ID_META_KEY]: _, ...others } = meta;
  const { _meta, ...rest } = params;
  return Object.keys(others).length > 0 ? { ...rest, _meta: others } : rest;
}
