/**
 * A sidecar that says what a test tells it to, outside the runtime under test: every `fetch` of the worker
 * comes here. Tests steer it through `http://control/…` (see `fake-sidecar.ts`). What the gateway says to a
 * real sidecar is the business of the end-to-end tests.
 */
import { z } from "zod";

const Control = z.object({
  answers: z.record(z.string(), z.object({ status: z.number(), body: z.string() })).optional(),
  emit: z.unknown().optional(),
  hangUp: z.boolean().optional(),
  reset: z.boolean().optional(),
});

export type Seen = {
  method: string;
  path: string;
  query: string;
  headers: Record<string, string>;
  body: string;
};

type State = {
  answers: Map<string, { status: number; body: string }>;
  requests: Seen[];
  telemetry: ReadableStreamDefaultController<Uint8Array> | null;
};

const fresh = (): State => ({ answers: new Map(), requests: [], telemetry: null });

export function fakeSidecarService(): (request: Request) => Promise<Response> {
  let state = fresh();
  return async (request) => {
    const url = new URL(request.url);
    if (url.hostname === "control") {
      const control = Control.parse(await request.json());
      if (control.reset) {
        hangUp(state);
        state = fresh();
      }
      for (const [key, answer] of Object.entries(control.answers ?? {})) {
        if (answer.body === "null") state.answers.delete(key);
        else state.answers.set(key, answer);
      }
      if (control.emit)
        state.telemetry?.enqueue(new TextEncoder().encode(`${JSON.stringify(control.emit)}\n`));
      if (control.hangUp) hangUp(state);
      return Response.json({ requests: state.requests, isWatched: state.telemetry !== null });
    }
    state.requests.push({
      method: request.method,
      path: url.pathname,
      query: url.search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
    if (url.pathname.startsWith("/v1/telemetry/")) return Response.json({ ok: true });
    const answer = state.answers.get(`${request.method} ${url.pathname}`);
    if (url.pathname === "/v1/telemetry" && !answer) return telemetryStream(state);
    if (!answer) return Response.json({ code: "not_found", message: "no" }, { status: 404 });
    return new Response(answer.body, { status: answer.status });
  };
}

/** The sidecar's stream ends, as when it is restarted. */
function hangUp(state: State): void {
  state.telemetry?.close();
  state.telemetry = null;
}

function telemetryStream(state: State): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      state.telemetry = controller;
    },
    cancel: () => {
      state.telemetry = null;
    },
  });
  return new Response(body);
}
