/** Requests to the gateway over HTTP: each with the token, each answered by what was asked for or an error. */
import { HivegateError } from "../errors.ts";
import { ANSWER_TIMEOUT_MS } from "./answer-timeout.ts";
import { errorFromAnswer, GatewayUnreachable } from "./client-errors.ts";

export type JsonOptions = {
  body?: unknown;
  headers?: Record<string, string>;
  /** Tells by its body what is an answer even with the status of an error. */
  isAnswer?: (answer: unknown) => boolean;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
};

type Method = "GET" | "POST" | "PUT" | "DELETE";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Every method throws HivegateError with what the gateway answered, or GatewayUnreachable. */
export class GatewayHttp {
  readonly #baseUrl: string;
  readonly #token: string;
  readonly #fetch: Fetch;

  constructor(baseUrl: string, token: string, fetch: Fetch) {
    this.#baseUrl = baseUrl;
    this.#token = token;
    this.#fetch = fetch;
  }

  async json<T>(method: Method, path: string, options: JsonOptions = {}): Promise<T> {
    return trusted<T>(await this.#answer(method, path, options));
  }

  /** Where nothing is answered but that it is done. */
  async done(method: Method, path: string, options: JsonOptions = {}): Promise<void> {
    await this.#answer(method, path, options);
  }

  async #answer(method: Method, path: string, options: JsonOptions): Promise<unknown> {
    const { body, headers, isAnswer = () => false, timeoutMs = ANSWER_TIMEOUT_MS, signal } = options;
    const late = AbortSignal.timeout(timeoutMs);
    const response = await this.#send(path, {
      method,
      signal: signal ? AbortSignal.any([signal, late]) : late,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await bodyOf(response);
    if (!response.ok && !isAnswer(answer)) throw errorFromAnswer(response.status, answer);
    return answer;
  }

  /** An answer as it comes, without a deadline: until `signal` is aborted. */
  async stream(
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
    post?: { body: unknown },
  ): Promise<ReadableStream<Uint8Array>> {
    const method = post ? "POST" : "GET";
    const body = post && { body: JSON.stringify(post.body) };
    const response = await this.#send(path, { method, headers, signal, ...body });
    if (!response.ok) throw errorFromAnswer(response.status, await bodyOf(response));
    if (!response.body) throw new GatewayUnreachable();
    return response.body;
  }

  async #send(path: string, init: RequestInit & { headers: Record<string, string> }): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#token}` };
    try {
      return await this.#fetch(new URL(path, this.#baseUrl).href, { ...init, headers });
    } catch (cause) {
      throw unanswered(cause);
    }
  }
}

const unanswered = (cause: unknown): Error =>
  cause instanceof DOMException && cause.name === "TimeoutError"
    ? new HivegateError("timeout", undefined, { cause })
    : new GatewayUnreachable(undefined, cause);

/** The body as JSON; null when it is none. */
async function bodyOf(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw unanswered(cause);
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The gateway's answer as what its interface promises: it was checked there, by the schemas that these types
 * come from. Something else that answers in its place is told by not being an object.
 */
function trusted<T>(answer: unknown): T {
  if (typeof answer === "object" && answer !== null) return answer as T;
  throw new GatewayUnreachable("Something else than the gateway answered. Check the address.");
}
