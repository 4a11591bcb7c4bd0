/** `fetch` over simulated connections, for requests to the sidecar. */
import type { Clock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Data } from "./lane.ts";
import type { Net } from "./net.ts";
import type { SidecarHost } from "./sidecar-host.ts";
import type { Wire } from "./wire.ts";

export type SidecarFetchPorts = {
  clock: Clock;
  net: Net;
  sidecar: SidecarHost;
  /** The connections of the process that asks. */
  wires: Set<Wire>;
};

/** What a connection that breaks throws. */
export class ConnectionLost extends Error {}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export const sidecarFetch =
  ({ clock, net, sidecar, wires }: SidecarFetchPorts): Fetch =>
  (url, { method = "GET", body, signal }) => {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const wire = net.connect(`${method} sidecar`);
    wires.add(wire);
    const exchange = new Exchange(wire);
    let cancelTimeout = () => {};
    const over = () => {
      cancelTimeout();
      wires.delete(wire);
    };
    const abort = (reason: unknown) => {
      over();
      wire.near.close();
      wire.near.abandon();
      exchange.fail(reason);
    };
    signal?.addEventListener("abort", () => abort(signal.reason));
    // The client's own time limit for a short request is the platform's, for which simulated time is too fast.
    if (method !== "GET")
      cancelTimeout = clock.after(LIMITS.sidecarTimeoutMs, () => abort(new DOMException("", "TimeoutError")));
    wire.near.listen({
      message: (data) => exchange.take(data),
      closed: (code) => {
        over();
        exchange.end(code === 1000 ? null : new ConnectionLost());
      },
    });
    const { pathname, search } = new URL(url);
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
    if (sidecar.way !== "open") wire.far.abandon();
    if (sidecar.way === "refused") wire.break(net.delayMs(), 0);
    if (sidecar.way !== "open") return exchange.response;
    sidecar.accept(wire.far);
    wire.near.send(JSON.stringify({ method, path: pathname + search, body: text }));
    return exchange.response;
  };

/** An answer as it comes: its head, then its body piece by piece. */
class Exchange {
  readonly #head = Promise.withResolvers<Response>();
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get response(): Promise<Response> {
    return this.#head.promise;
  }

  take(data: Data): void {
    if (typeof data !== "string") {
      this.#body?.enqueue(data);
      return;
    }
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
      },
      cancel: () => {
        this.#body = null;
        this.#wire.near.close();
      },
    });
    this.#head.resolve(new Response(stream, { status: JSON.parse(data).status }));
  }

  /** Null: it ends as it should. */
  end(error: Error | null): void {
    if (error || !this.#body) this.fail(error ?? new ConnectionLost());
    else this.#finish((body) => body.close());
  }

  fail(reason: unknown): void {
    this.#head.reject(reason);
    this.#finish((body) => body.error(reason));
  }

  #finish(how: (body: ReadableStreamDefaultController<Uint8Array>) => void): void {
    const body = this.#body;
    this.#body = null;
    if (body) how(body);
  }
}
