/**
 * Whose JSON-RPC message is whose, where many clients share one connection.
 *
 * - Each request gets an id of our own, and its answer goes to whoever asked, with the id that they gave. So do notices
 *   of progress. Any other notification goes to all clients.
 * - A request *from* the orchestrator goes to one client: the one that asked something last, else the one that came
 *   last. It gets an id of our own as well. When that client leaves, does not answer in time, or nobody is there, it is
 *   answered by an error.
 * - A batch goes out as single messages (many servers know no batches), and its answers come back as one.
 * - A server of MCP wants to be initialised on each connection. The last `initialize` that was answered by a result is
 *   therefore said again, in the relay's own name, before anything else goes over a new one.
 */
import type { Clock } from "../../shared/clock.ts";
import { type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  cancelledBy,
  idKey,
  isAnswer,
  isRequest,
  paramOf,
  type RpcAnswer,
  type RpcPart,
  type RpcRequest,
  scanRpc,
} from "../../shared/relay/json-rpc.ts";
import { findValue, replaced, type Span } from "../../shared/relay/json-scan.ts";
import { Asked } from "./asked.ts";
import { BatchAnswer } from "./batch-answer.ts";
import { type Asker, Pending } from "./pending.ts";
import { copied, errorText, methodsOf, tokenOf } from "./rpc-text.ts";

export type RpcClient = {
  deliver(text: string, method: string | null): void;
  /** The request with this id (raw JSON; null: a message without one) will not be answered. */
  refuse(id: string | null, error: HivegateError): void;
};

export type RpcExchangePorts<S> = {
  /** For our ids: nobody else's, without what needs escapes in JSON. */
  prefix: string;
  clock: Clock;
  /** Milliseconds, for durations alone. */
  nowMs(): number;
  /** Says something to the orchestrator. */
  reply(text: string): void;
  toAll(text: string, method: string | null): void;
  newestClient(): S | null;
  /** The `greeting` was answered; `next` is what has to be said next. */
  greeted(next: string): void;
  answered(durationMs: number): void;
  /** An answer came that nobody waits for. */
  unclaimed(): void;
};

export type Outgoing = { texts: string[]; method: string | null; outcome: "passed" | ErrorCode };

/** What becomes of one part of a client's message: it goes out so, or not; null: there was nothing to send. */
type Said = { text: string } | { refused: ErrorCode | null };

const LOST = "The orchestrator was lost before it answered. The request may have taken effect: look it up.";

/** An `initialize` is kept, to be said again: a longer one is refused. */
const INITIALIZE_CHARS = 64 * 1024;

export class RpcExchange<S extends RpcClient> {
  /** The last `initialize` that was answered by a result, as its client sent it. */
  initialize: string | null = null;
  readonly #ports: RpcExchangePorts<S>;
  readonly #pending: Pending<S>;
  readonly #asked: Asked<S>;
  #lastAsker: S | null = null;

  constructor(ports: RpcExchangePorts<S>) {
    this.#ports = ports;
    this.#pending = new Pending(ports.prefix);
    this.#asked = new Asked({
      ...ports,
      expired: (ids) => this.#nobodyAnswers(ids, "timeout", "The client did not answer in time."),
    });
  }

  /** Requests that wait for their answers. */
  get pending(): number {
    return this.#pending.size;
  }

  /** What goes out for a client's message; what does not is refused here. Null: it is no JSON-RPC. */
  outgoing(client: S, text: string): Outgoing | null {
    const message = scanRpc(text);
    if (!message) return null;
    const { parts, isBatch } = message;
    if (parts.length > LIMITS.relayBatchParts) return null;
    const requests = isBatch ? parts.filter(isRequest).length : 0;
    const deliver = (answers: string) => client.deliver(answers, null);
    const batch = requests > 0 ? new BatchAnswer(requests, deliver) : null;
    const texts: string[] = [];
    let outcome: Outgoing["outcome"] = "passed";
    for (const part of parts) {
      const said = isRequest(part)
        ? this.#request(client, text, part, batch)
        : this.#other(client, text, part);
      if ("text" in said) texts.push(said.text);
      else if (said.refused) outcome = said.refused;
    }
    return { texts, method: methodsOf(parts), outcome: texts.length > 0 ? "passed" : outcome };
  }

  /** Whether this client's request of this id (raw JSON) waits for its answer. */
  isWaiting(client: S, id: string): boolean {
    return this.#pending.find(client, id) !== null;
  }

  /** What the orchestrator said. */
  incoming(text: string): void {
    const message = scanRpc(text);
    // What names an id of ours is one client's affair, were it too garbled to say whose.
    if (!message && text.includes(this.#ports.prefix)) this.#ports.unclaimed();
    else if (!message) this.#ports.toAll(text, null);
    else for (const part of message.parts) this.#incomingPart(text, part);
  }

  /** What has to be said first over a new connection; null: nothing. */
  greeting(): string | null {
    const text = this.initialize;
    const part = text === null ? undefined : scanRpc(text)?.parts[0];
    if (text === null || !part || !isRequest(part)) return null;
    const by = this.#pending.add({ ...this.#asker(null, text, part), text: null });
    return replaced(text, [{ ...part.idAt, by }]);
  }

  forget(client: S): void {
    this.#pending.forget(client);
    if (this.#lastAsker === client) this.#lastAsker = null;
    this.#nobodyAnswers(this.#asked.takeAll(client));
  }

  /** The orchestrator is asked nothing more: what it asks itself is answered by errors. */
  forgetAsked(): void {
    this.#lastAsker = null;
    this.#nobodyAnswers(this.#asked.takeAll());
  }

  /** This client will not hear what it was asked by this id of ours. */
  declined(client: S, ours: string): void {
    const id = this.#asked.take(client, ours);
    if (id !== null) this.#nobodyAnswers([id], "overloaded", "The client does not read what it is asked.");
  }

  /** The connection is lost: what was not answered may have taken effect, and is not said again. */
  lost(): void {
    this.#asked.takeAll();
    for (const asker of this.#pending.takeAll()) this.#fail(asker, "swarm_unavailable", LOST);
  }

  #request(client: S, text: string, part: RpcRequest, batch: BatchAnswer | null): Said {
    const asker = { ...this.#asker(client, text, part), batch };
    if (this.#pending.isFull(client))
      return this.#fail(asker, "overloaded", "Too many requests wait for answers. Wait for some of them.");
    if (asker.text !== null && asker.text.length > INITIALIZE_CHARS)
      return this.#fail(asker, "frame_too_large", "This initialize is too long. Send less in it.");
    this.#lastAsker = client;
    const by = this.#pending.add(asker);
    const idChange = { ...part.idAt, by };
    const token = tokenOf(text, part);
    if (!token) return { text: replaced(text, [idChange], part) };
    asker.progressToken = copied(text.slice(token.start, token.end));
    const tokenChange = { ...token, by };
    const isIdFirst = part.idAt.start < token.start;
    return { text: replaced(text, isIdFirst ? [idChange, tokenChange] : [tokenChange, idChange], part) };
  }

  #asker(session: S | null, text: string, { id, method, start, end }: RpcRequest): Asker<S> {
    return {
      ...{ session, id: copied(id), method: copied(method), progressToken: null, batch: null },
      text: method === "initialize" ? copied(text.slice(start, end)) : null,
      sentMs: this.#ports.nowMs(),
    };
  }

  /** A notification, or an answer to what this client was asked. */
  #other(client: S, text: string, part: RpcPart): Said {
    if (isAnswer(part)) {
      const id = this.#asked.take(client, part.id);
      if (id !== null) return { text: replaced(text, [{ ...part.idAt, by: id }], part) };
      client.refuse(null, new HivegateError("invalid_request", "Nothing was asked by this id."));
      return { refused: "invalid_request" };
    }
    const id = cancelledBy(text, part);
    if (!id) return { text: text.slice(part.start, part.end) };
    const ours = this.#pending.find(client, text.slice(id.start, id.end));
    // Null: it was answered in the meantime, so that there is nothing to cancel.
    return ours === null ? { refused: null } : { text: replaced(text, [{ ...id, by: ours }], part) };
  }

  #incomingPart(text: string, part: RpcPart): void {
    if (isAnswer(part)) {
      const asker = this.#pending.take(idKey(part.id));
      if (asker) this.#answered(asker, text, part);
      else this.#ports.unclaimed();
    } else if (isRequest(part)) this.#ask(text, part);
    else this.#notified(text, part);
  }

  #answered(asker: Asker<S>, text: string, part: RpcAnswer): void {
    if (!asker.session) {
      this.#ports.greeted('{"jsonrpc":"2.0","method":"notifications/initialized"}');
      return;
    }
    if (asker.text !== null && findValue(text, part.start, ["result"])) this.initialize = asker.text;
    this.#ports.answered(this.#ports.nowMs() - asker.sentMs);
    const answer = replaced(text, [{ ...part.idAt, by: asker.id }], part);
    if (asker.batch) asker.batch.add(asker.id, answer);
    else asker.session.deliver(answer, asker.method);
  }

  #ask(text: string, part: RpcRequest): void {
    const client = this.#lastAsker ?? this.#ports.newestClient();
    const by = client && this.#asked.add(client, part.id);
    if (by) client.deliver(replaced(text, [{ ...part.idAt, by }], part), part.method);
    else if (client) this.#nobodyAnswers([part.id], "overloaded", "Too much was asked that is not answered.");
    else this.#nobodyAnswers([part.id]);
  }

  #notified(text: string, part: RpcPart): void {
    const cancelled = cancelledBy(text, part);
    const token = part.method === "notifications/progress" ? paramOf(text, part, "progressToken") : null;
    if (cancelled) this.#takenBack(text, part, cancelled);
    else if (token) this.#progressed(text, part, token);
    else this.#ports.toAll(text.slice(part.start, part.end), part.method);
  }

  #takenBack(text: string, part: RpcPart, id: Span): void {
    const question = this.#asked.takeBack(text.slice(id.start, id.end));
    if (question) {
      const changes = [{ ...id, by: question.ours }];
      question.client.deliver(replaced(text, changes, part), part.method);
    } else this.#ports.unclaimed();
  }

  /** What a client's request has come to is that client's alone, were it gone or answered. */
  #progressed(text: string, part: RpcPart, token: Span): void {
    const ours = idKey(text.slice(token.start, token.end));
    const asker = this.#pending.get(ours);
    if (asker?.session && asker.progressToken !== null)
      asker.session.deliver(replaced(text, [{ ...token, by: asker.progressToken }], part), part.method);
    else if (this.#pending.isOurs(ours)) this.#ports.unclaimed();
    else this.#ports.toAll(text.slice(part.start, part.end), part.method);
  }

  /** `ids` are the orchestrator's. */
  #nobodyAnswers(
    ids: string[],
    code: ErrorCode = "swarm_unavailable",
    why = "No client is there to answer.",
  ): void {
    for (const id of ids) this.#ports.reply(errorText(id, new HivegateError(code, why)));
  }

  #fail({ session, id, batch }: Asker<S>, code: ErrorCode, message: string): Said {
    const error = new HivegateError(code, message);
    if (batch) batch.add(id, errorText(id, error));
    else session?.refuse(id, error);
    return { refused: code };
  }
}
