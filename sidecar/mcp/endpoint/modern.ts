/** Requests of 2026: each says by itself all that there is to know. */
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import { OWN_CALL_HEADER } from "../../../shared/protocol/tools.ts";
import type { Route } from "../upstream.ts";
import { Answer, plainSink } from "./answer.ts";
import { neededFor, offers } from "./capabilities.ts";
import { checkedEnvelope, type Envelope } from "./envelope.ts";
import { type Destination, destinationOf, exchanged, failure, routeOf } from "./exchange.ts";
import { recordOr } from "./fields.ts";
import { failureIn, headersFor } from "./head.ts";
import { answerText, type ClientRequest, notificationText } from "./json-rpc.ts";
import { listen } from "./listen.ts";
import { type CallFacts, LEFT, OpenCall, type Waiter } from "./open-call.ts";
import { paramMismatch } from "./param-headers.ts";
import type { Incoming, Shared } from "./ports.ts";
import {
  invalidParams,
  methodNotFound,
  modernStatus,
  Refused,
  type RpcError,
  rpcErrorOf,
} from "./refused.ts";
import { MODERN_VERSION, NEVER_STREAMED } from "./revisions.ts";
import { isWanted } from "./translate/log-level.ts";
import {
  discoverResult,
  inputRequired,
  legacyRequest,
  missingCapabilities,
  modernAnswer,
  urlElicitations,
} from "./translate/to-legacy.ts";

/** What 2026 has no more, were it that a server behind still has it. */
const REMOVED: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
]);

const UNKNOWN_STATE = invalidParams(
  "requestState: it belongs to another request, or too much time has passed. Send the request anew, without it.",
);

/** @throws Refused */
export function serveModern(shared: Shared, incoming: Incoming, request: ClientRequest): Promise<Response> {
  const envelope = checkedEnvelope(request, incoming.header);
  if (REMOVED.has(request.method)) throw new Refused(404, methodNotFound(request.method), request.id);
  if (request.method === "subscriptions/listen") return listen(shared, incoming, request);
  return new ModernRequest(shared, incoming, request, envelope).response;
}

class ModernRequest {
  readonly #shared: Shared;
  readonly #incoming: Incoming;
  readonly #request: ClientRequest;
  readonly #envelope: Envelope;
  readonly #answer: Answer;
  #hasLeft = false;
  #onLeave: () => void = () => {};

  constructor(shared: Shared, incoming: Incoming, request: ClientRequest, envelope: Envelope) {
    this.#shared = shared;
    this.#incoming = incoming;
    this.#request = request;
    this.#envelope = envelope;
    const leave = () => this.#leave();
    this.#answer = new Answer({
      pulse: shared.pulse,
      headers: () => headersFor(shared.ports, incoming.head),
      mayStream: !NEVER_STREAMED.has(request.method),
      openSink: () => plainSink(shared.pulse, incoming.client, leave),
    });
    incoming.signal.addEventListener("abort", leave);
    this.#serve().catch((thrown) => this.#end(failure(thrown, shared.ports.log)));
  }

  get response(): Promise<Response> {
    return this.#answer.response;
  }

  async #serve(): Promise<void> {
    const { method } = this.#request;
    if (await this.#hasGoneOn()) return;
    const destination = await destinationOf(
      this.#shared,
      this.#incoming,
      this.#request,
      this.#incoming.signal,
    );
    const mismatch = await this.#mismatch(destination);
    if (mismatch) return this.#end({ error: mismatch }, 400);
    if (destination.info.era === "2026") return this.#end(await this.#word(destination));
    if (method === "server/discover") return this.#end({ result: discoverResult(destination.info) });
    if (method.startsWith("tasks/")) return this.#end({ error: methodNotFound(method) });
    await this.#translated(destination);
  }

  /** What the gateway calls for itself has no headers of a client's. */
  async #mismatch({ upstream, request: { method, params } }: Route): Promise<RpcError | null> {
    const { header } = this.#incoming;
    if (method !== "tools/call" || header(OWN_CALL_HEADER) !== undefined) return null;
    const mirrored = (await this.#shared.ports.mirrored?.(upstream.name, String(params.name))) ?? [];
    return paramMismatch(mirrored, params.arguments, header);
  }

  /** A server of the same era, word for word. Only which revisions are spoken here is ours to say. */
  async #word(destination: Destination): Promise<McpAnswer> {
    const controller = new AbortController();
    this.#whenLeft(() => controller.abort(LEFT));
    const answer = await exchanged(this.#shared, this.#incoming, destination, {
      signal: controller.signal,
      onNotification: (notification) => this.#answer.before(notificationText(notification)),
    });
    if (this.#request.method !== "server/discover" || "error" in answer) return answer;
    return { result: { ...answer.result, supportedVersions: [MODERN_VERSION] } };
  }

  /**
   * Whether it was about a call that waits for its client: that is between the client and the server that asked, whatever
   * has taken that one's place meanwhile.
   */
  async #hasGoneOn(): Promise<boolean> {
    const { requestState, inputResponses } = this.#request.params;
    if (requestState === undefined) return false;
    const mismatch = await this.#mismatch(await routeOf(this.#incoming, this.#request));
    if (mismatch) {
      this.#end({ error: mismatch }, 400);
      return true;
    }
    const call = this.#shared.held.resume(String(requestState), this.#facts);
    if (!call) return false;
    const waiter = this.#waiter;
    this.#whenLeft(() => call.left(waiter));
    call.resume(waiter, inputResponses, this.#envelope.capabilities);
    return true;
  }

  /** A server of 2025, which may ask the client something before it answers. */
  async #translated(destination: Destination): Promise<void> {
    if (this.#request.params.requestState !== undefined) return this.#end({ error: UNKNOWN_STATE }, 400);
    const waiter = this.#waiter;
    const call = new OpenCall(this.#facts, this.#shared.held, this.#envelope.capabilities, waiter);
    this.#whenLeft(() => call.left(waiter));
    await this.#begin(call, destination);
  }

  get #facts(): CallFacts {
    const { client, server } = this.#incoming;
    return { client, server, request: this.#request };
  }

  get #waiter(): Waiter {
    return {
      progressToken: recordOr(this.#request.params._meta).progressToken,
      settle: (answer) => this.#end(answer),
      hear: (notification) => {
        if (isWanted(notification, this.#envelope.logLevel))
          this.#answer.before(notificationText(notification));
      },
    };
  }

  async #begin(call: OpenCall, { upstream, request, info }: Destination): Promise<void> {
    const { signal } = call;
    const { logLevel, capabilities } = this.#envelope;
    const refusal: RpcError | null =
      logLevel === null ? null : await this.#shared.logLevels.want(logLevel, upstream, this.#incoming.client);
    if (refusal) return call.finish({ error: refusal });
    const route = { upstream, request: legacyRequest(request) };
    const answer = await exchanged(this.#shared, this.#incoming, route, {
      signal,
      onNotification: (notification) => call.hear(notification),
      onRequest: (asked, ended) => call.ask(asked, ended),
    });
    const wanted = Object.entries(urlElicitations(answer) ?? {});
    if (wanted.length === 0) return call.finish(modernAnswer(request.method, answer, info));
    const requests = wanted.map(([, asked]) => asked);
    const isOffered = requests.every((asked) => offers(capabilities, neededFor(asked)));
    call.finish(isOffered ? inputRequired(Object.fromEntries(wanted), null) : missingCapabilities(requests));
  }

  #whenLeft(then: () => void): void {
    this.#onLeave = then;
    if (this.#hasLeft) then();
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#onLeave();
    this.#end({ error: rpcErrorOf(LEFT) });
  }

  #end(answer: McpAnswer, status = modernStatus(this.#request.method, answer)): void {
    this.#incoming.head.failure = failureIn(answer);
    this.#answer.end(answerText(this.#request.id, answer), status);
  }
}
