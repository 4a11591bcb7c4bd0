import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { errorText } from "./rpc-text.ts";

const TOO_LARGE = new HivegateError(
  "overloaded",
  "The answers to this batch are too large together. Ask one by one.",
);

/** The answers to a batch, gathered until all are there. */
export class BatchAnswer {
  readonly #requests: number;
  readonly #deliver: (text: string) => void;
  readonly #answers: string[] = [];
  #chars = 0;

  constructor(requests: number, deliver: (text: string) => void) {
    this.#requests = requests;
    this.#deliver = deliver;
  }

  /** The answer to the request of this id (raw JSON), instead of which an error comes if all is too large. */
  add(id: string, answer: string): void {
    const isTooLarge = this.#chars + answer.length > LIMITS.relayMessageBytes;
    this.#answers.push(isTooLarge ? errorText(id, TOO_LARGE) : answer);
    if (!isTooLarge) this.#chars += answer.length;
    if (this.#answers.length === this.#requests) this.#deliver(`[${this.#answers.join(",")}]`);
  }
}
