import { asHivegateError, ERRORS } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import type { Asker, Question } from "./json-rpc-session.ts";
import type { OutgoingAnswer } from "./wire.ts";

const METHOD_NOT_FOUND = -32601;

const NO_METHODS: McpAnswer = {
  error: { code: METHOD_NOT_FOUND, message: "This client offers no methods." },
};
const UNCLEAR: McpAnswer = {
  error: {
    code: ERRORS.not_supported.rpc,
    message: "It cannot be told which client is meant: several are being served, or one has left.",
  },
};
const OVERLOADED: McpAnswer = { error: { code: ERRORS.overloaded.rpc, message: ERRORS.overloaded.advice } };

/** What a server of 2025 asks the client in the course of a call, brought to that client and back. */
export class ServerQuestions {
  readonly #send: (answer: OutgoingAnswer) => void;
  readonly #open = new Map<string | number, { asker: Asker; withdrawn: AbortController }>();

  constructor(send: (answer: OutgoingAnswer) => void) {
    this.#send = send;
  }

  answer({ id, request, whose }: Question): void {
    const withdrawn = new AbortController();
    const now = answerNow(request.method, whose, this.#open.size);
    if (now) this.#send({ jsonrpc: "2.0", id, ...now });
    else if (typeof whose === "object") {
      this.#open.set(id, { asker: whose, withdrawn });
      void this.#bring(id, whose, request, withdrawn.signal);
    }
  }

  /** Whether something that was asked in the course of this call has no answer yet. */
  isOpen(asker: Asker): boolean {
    for (const question of this.#open.values()) if (question.asker === asker) return true;
    return false;
  }

  /** The server wants no answer any more. */
  withdraw(id: unknown): void {
    if (typeof id !== "string" && typeof id !== "number") return;
    const question = this.#open.get(id);
    this.#open.delete(id);
    question?.withdrawn.abort();
  }

  /** The call is over, so nothing of it can be asked any more. Null: no call will come to an end. */
  over(asker: Asker | null): void {
    for (const [id, question] of this.#open) if (!asker || question.asker === asker) this.withdraw(id);
  }

  async #bring(
    id: string | number,
    { exchange, progressed }: Asker,
    request: Question["request"],
    signal: AbortSignal,
  ): Promise<void> {
    const reply = (answer: McpAnswer): void => {
      if (signal.aborted) return;
      this.#open.delete(id);
      // From now on it is the server's time again.
      progressed?.();
      this.#send({ jsonrpc: "2.0", id, ...answer });
    };
    try {
      reply(await (exchange?.onRequest?.(request, signal) ?? NO_METHODS));
    } catch (thrown) {
      reply(failed(thrown));
    }
  }
}

/** What needs no client; null: it has to be asked. `open`: how many questions wait already. */
function answerNow(method: string, whose: Question["whose"], open: number): McpAnswer | null {
  if (method === "ping") return { result: {} };
  if (whose === "unclear") return UNCLEAR;
  if (whose === "nobody" || !whose.exchange?.onRequest) return NO_METHODS;
  return open >= LIMITS.mcpServerQuestions ? OVERLOADED : null;
}

function failed(thrown: unknown): McpAnswer {
  const { code, message } = asHivegateError(thrown);
  return { error: { code: ERRORS[code].rpc, message } };
}
