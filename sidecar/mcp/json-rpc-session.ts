/**
 * The asking end of JSON-RPC over lines, without sockets or time: it makes the lines to send, takes the
 * lines received, and brings each answer to whoever asked.
 */
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { JsonRpcId, JsonRpcRequest, JsonRpcResponse } from "../../shared/protocol/mcp.ts";
import { UnreadableAnswer } from "./unreadable-answer.ts";

export type Params = Record<string, unknown>;
export type Notification = { method: string; params: Params };

/** Exactly one of the two is called, once. */
export type Asker = { resolve(result: unknown): void; reject(error: Error): void };

/** What has to be done about a line that was received; mostly nothing. */
export type Received =
  | { kind: "handled" | "ignored" }
  | { kind: "notification"; notification: Notification }
  /** The server asked something: this line answers it. */
  | { kind: "reply"; line: string }
  /** The server wants nothing to do with us, and will hang up. `reason` is for the log alone. */
  | { kind: "refused"; reason: string };

const METHOD_NOT_FOUND = -32601;
const Json = z.record(z.string(), z.unknown());
/** What a server asks. Its id goes back in the answer, so a long one would be held for as long as it is not read. */
const Asked = JsonRpcRequest.extend({ id: z.union([z.string().max(100), z.number(), z.null()]).optional() });
/** Without an id it belongs to no request: the server speaks of the connection. */
const Refusal = z.object({
  id: z.undefined().optional(),
  jsonrpc: z.undefined().optional(),
  error: z.string(),
});

export class JsonRpcSession {
  readonly #newId: () => string;
  readonly #askers = new Map<string, Asker>();
  /** Answers nobody here waits for: late ones, and those to other clients, which some servers broadcast. */
  unknownIds = 0;
  /** Lines that are not JSON-RPC, such as a log that went astray. */
  strangeLines = 0;

  /** `newId` must be unique among all clients of the server: some route answers by the bare id. */
  constructor(newId: () => string) {
    this.#newId = newId;
  }

  /** Send `line`; the answer goes to `asker`. */
  ask(method: string, params: Params, asker: Asker): { id: string; line: string } {
    const id = this.#newId();
    this.#askers.set(id, asker);
    return { id, line: JSON.stringify({ jsonrpc: "2.0", id, method, params }) };
  }

  notify(method: string): string {
    return JSON.stringify({ jsonrpc: "2.0", method });
  }

  /** Nobody waits for this answer any more. */
  forget(id: string): void {
    this.#askers.delete(id);
  }

  /** No answer will come any more. */
  failAll(error: Error): void {
    const askers = [...this.#askers.values()];
    this.#askers.clear();
    for (const asker of askers) asker.reject(error);
  }

  receive(line: string): Received {
    const message = Json.safeParse(jsonOf(line));
    if (!message.success) return this.#strange();
    if ("method" in message.data) return this.#asked(message.data);
    const refusal = Refusal.safeParse(message.data);
    if (refusal.success) return { kind: "refused", reason: refusal.data.error };
    return this.#answered(message.data);
  }

  #answered(message: Record<string, unknown>): Received {
    const id = JsonRpcId.optional().safeParse(message.id);
    if (!id.success) return this.#strange();
    const asker = typeof id.data === "string" ? this.#askers.get(id.data) : undefined;
    if (!asker || typeof id.data !== "string") {
      this.unknownIds++;
      return { kind: "ignored" };
    }
    this.#askers.delete(id.data);
    const answer = JsonRpcResponse.safeParse(message);
    if (!answer.success) asker.reject(new UnreadableAnswer(answer.error));
    else if (answer.data.error)
      asker.reject(failed(`${answer.data.error.code} ${answer.data.error.message}`));
    else asker.resolve(answer.data.result);
    return { kind: "handled" };
  }

  #asked(message: Record<string, unknown>): Received {
    const request = Asked.safeParse(message);
    if (!request.success) return this.#strange();
    const { id, method, params } = request.data;
    if (id === undefined) return { kind: "notification", notification: { method, params: params ?? {} } };
    const outcome =
      method === "ping"
        ? { result: {} }
        : { error: { code: METHOD_NOT_FOUND, message: "This client offers no methods." } };
    return { kind: "reply", line: JSON.stringify({ jsonrpc: "2.0", id, ...outcome }) };
  }

  #strange(): Received {
    this.strangeLines++;
    return { kind: "ignored" };
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const failed = (reason: string): HivegateError =>
  new HivegateError("mcp_failed", undefined, { cause: new Error(reason) });
