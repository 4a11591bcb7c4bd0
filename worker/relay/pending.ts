/** Requests of one client that wait for their answers, so that each of them gets one, if only an error. */
import { ERRORS, type HivegateError } from "../../shared/errors.ts";

export class PendingRequests {
  /** How often each id waits: a client may use one again before it is answered. */
  readonly #ids = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(id: string): void {
    this.#ids.set(id, (this.#ids.get(id) ?? 0) + 1);
    this.#size++;
  }

  /** `id` was answered, or will not be asked. */
  remove(id: string): void {
    const times = this.#ids.get(id);
    if (times === undefined) return;
    this.#size--;
    if (times === 1) this.#ids.delete(id);
    else this.#ids.set(id, times - 1);
  }

  /** All that wait, and no more from now on. */
  takeAll(): string[] {
    const all = [...this.#ids].flatMap(([id, times]) => Array.from({ length: times }, () => id));
    this.#ids.clear();
    this.#size = 0;
    return all;
  }
}

/** A JSON-RPC error. `id` is JSON. */
export function rpcError(id: string, error: HivegateError): string {
  const { code, message, retryable } = error.toBody();
  const body = { code: ERRORS[code].rpc, message, data: { code, retryable } };
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(body)}}`;
}
