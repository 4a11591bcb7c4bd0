/**
 * Whose JSON-RPC message is whose, where many clients share one connection.
 *
 * - Each request gets an id of our own, and its answer goes to whoever asked, with the id that they gave. So do notices
 *   of progress. Any other notification goes to all clients.
 * - A request *from* the orchestrator goes to one client: the one that asked something last, else the one that came
 *   last. When that client leaves, or nobody is there, it is answered by an error.
 * - A batch goes out as single messages (many servers know no batches), and its answers come back as one.
 * - A server of MCP wants to be initialised on each connection. The last `initialize` that was answered by a result is
 *   therefore said again, in the relay's own name, before anything else goes over a new one.
 */
import { ERRORS, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  isAnswer,
  isRequest,
  paramOf,
  type RpcAnswer,
  type RpcPart,
  type RpcRequest,
  scanRpc,
} from "../../shared/relay/json-rpc.ts";
import { findValue, replaced, stringIn } from "../../shared/relay/json-scan.ts";
import { type Asker, type Batch, Pending } from "./pending.ts";

export type RpcClient = {
  deliver(text: string, method: string | null): void;
  /** The request with this id (raw JSON; null: a message without one) will not be answered. */
  refuse(id: string | null, error: HivegateError): void;
};

export type RpcExchangePorts<S> = {
  /** For our ids: nobody else's, without what needs escapes in JSON. */
  prefix: string;
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

const LOST = "The orchestrator was lost before it answered. The request may have taken effect: look it up.";

const TOO_LARGE = new HivegateError(
  "overloaded",
  "The answers to this batch are too large together. Ask one by one.",
);

export class RpcExchange<S extends RpcClient> {
  /** The last `initialize` that was answered by a result, as its client sent it. */
  initialize: string | null = null;
  readonly #ports: RpcExchangePorts<S>;
  readonly #pending: Pending<S>;
  /** What the orchestrator asked, by its id, and whom. */
  readonly #asked = new Map<string, { client: S; id: string }>();
  #lastAsker: S | null = null;

  constructor(ports: RpcExchangePorts<S>) {
    this.#ports = ports;
    this.#pending = new Pending(ports.prefix);
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
    const batch = requests > 0 ? { requests, answers: [], chars: 0 } : null;
    const texts = parts.flatMap((part) => {
      const one = isRequest(part)
        ? this.#request(client, text, part, batch)
        : this.#other(client, text, part);
      return one === null ? [] : [one];
    });
    return {
      texts,
      method: parts[0]?.method ?? null,
      outcome: texts.length > 0 ? "passed" : whyNothing(parts),
    };
  }

  /** What the orchestrator said. */
  incoming(text: string): void {
    const message = scanRpc(text);
    if (!message) this.#ports.toAll(text, null);
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
    for (const asked of this.#asked.values()) if (asked.client === client) this.#nobodyAnswers(asked.id);
  }

  /** The orchestrator is asked nothing more: what it asks itself is answered by errors. */
  forgetAsked(): void {
    this.#lastAsker = null;
    for (const { id } of this.#asked.values()) this.#nobodyAnswers(id);
  }

  /** The connection is lost: what was not answered may have taken effect, and is not said again. */
  lost(): void {
    this.#asked.clear();
    for (const asker of this.#pending.takeAll()) this.#fail(asker, "swarm_unavailable", LOST);
  }

  #request(client: S, text: string, part: RpcRequest, batch: Batch | null): string | null {
    const asker = { ...this.#asker(client, text, part), batch };
    if (this.#pending.isFull(client)) {
      this.#fail(asker, "overloaded", "Too many requests wait for answers. Wait for some of them.");
      return null;
    }
    this.#lastAsker = client;
    const by = this.#pending.add(asker);
    const idChange = { ...part.idAt, by };
    const mayHaveToken = text.includes("progressToken", part.start);
    const token = mayHaveToken ? paramOf(text, part, "_meta", "progressToken") : null;
    if (!token) return replaced(text, [idChange], part);
    asker.progressToken = text.slice(token.start, token.end);
    const tokenChange = { ...token, by };
    const isIdFirst = part.idAt.start < token.start;
    return replaced(text, isIdFirst ? [idChange, tokenChange] : [tokenChange, idChange], part);
  }

  #asker(session: S | null, text: string, { id, method, start, end }: RpcRequest): Asker<S> {
    return {
      ...{ session, id, method, progressToken: null, batch: null },
      text: method === "initialize" ? text.slice(start, end) : null,
      sentMs: this.#ports.nowMs(),
    };
  }

  /** A notification, or an answer to what this client was asked; null: there is nothing to send. */
  #other(client: S, text: string, part: RpcPart): string | null {
    if (isAnswer(part)) {
      if (this.#asked.get(keyOf(part.id))?.client !== client) {
        client.refuse(null, new HivegateError("invalid_request", "Nothing was asked by this id."));
        return null;
      }
      this.#asked.delete(keyOf(part.id));
    }
    const id = part.method === "notifications/cancelled" ? paramOf(text, part, "requestId") : null;
    if (!id) return text.slice(part.start, part.end);
    const ours = this.#pending.find(client, text.slice(id.start, id.end));
    // Null: it was answered in the meantime, so that there is nothing to cancel.
    return ours === null ? null : replaced(text, [{ ...id, by: ours }], part);
  }

  #incomingPart(text: string, part: RpcPart): void {
    if (isAnswer(part)) {
      const asker = this.#pending.take(part.id);
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
    if (asker.batch) gather(asker.session, asker.batch, asker.id, answer);
    else asker.session.deliver(answer, asker.method);
  }

  #ask(text: string, part: RpcRequest): void {
    const client = this.#lastAsker ?? this.#ports.newestClient();
    if (!client || this.#asked.size >= LIMITS.relayPendingRequests) {
      this.#nobodyAnswers(part.id);
      return;
    }
    this.#asked.set(keyOf(part.id), { client, id: part.id });
    client.deliver(text.slice(part.start, part.end), part.method);
  }

  #notified(text: string, part: RpcPart): void {
    const token = part.method === "notifications/progress" ? paramOf(text, part, "progressToken") : null;
    const asker = token ? this.#pending.get(text.slice(token.start, token.end)) : undefined;
    if (token && asker?.session && asker.progressToken !== null)
      asker.session.deliver(replaced(text, [{ ...token, by: asker.progressToken }], part), part.method);
    else this.#ports.toAll(text.slice(part.start, part.end), part.method);
  }

  #nobodyAnswers(id: string): void {
    this.#asked.delete(keyOf(id));
    this.#ports.reply(errorText(id, new HivegateError("swarm_unavailable", "No client is there to answer.")));
  }

  #fail({ session, id, batch }: Asker<S>, code: ErrorCode, message: string): void {
    const error = new HivegateError(code, message);
    if (batch && session) gather(session, batch, id, errorText(id, error));
    else session?.refuse(id, error);
  }
}

function gather(client: RpcClient, batch: Batch, id: string, answer: string): void {
  const isTooLarge = batch.chars + answer.length > LIMITS.relayMessageBytes;
  batch.answers.push(isTooLarge ? errorText(id, TOO_LARGE) : answer);
  if (!isTooLarge) batch.chars += answer.length;
  if (batch.answers.length === batch.requests) client.deliver(`[${batch.answers.join(",")}]`, null);
}

/** What was refused when nothing of a message goes out; the cancellation of what is over needs no answer. */
function whyNothing(parts: readonly RpcPart[]): Outgoing["outcome"] {
  if (parts.some(isRequest)) return "overloaded";
  return parts.some(isAnswer) ? "invalid_request" : "passed";
}

/** The same for all ways to write an id: who sends it back may write it another way than it came. */
const keyOf = (id: string): string =>
  id.startsWith('"') ? `"${stringIn(id, 0, id.length) ?? id}` : String(Number(id));

/** `id` is raw JSON. */
function errorText(id: string, { code, message }: HivegateError): string {
  const error = JSON.stringify({ code: ERRORS[code].rpc, message, data: { code } });
  return `{"jsonrpc":"2.0","id":${id},"error":${error}}`;
}
