/** A client over HTTP whose requests the test answers. */
import { HivegateClient } from "../../../shared/client/rest.ts";
import { ManualClock } from "../../support/manual-clock.ts";

export type Answer = () => Response | Promise<Response>;
type Sent = { method: string; path: string; headers: Headers; body: unknown };

/** A client whose requests are answered in turn; the clock runs by itself whenever something waits. */
export function client(...answers: Answer[]) {
  const sent: Sent[] = [];
  const clock = new ManualClock();
  const gateway = new HivegateClient({
    baseUrl: "http://gate.example",
    hive: "default",
    token: "t",
    clock: {
      now: () => clock.now(),
      after: (delayMs, then) => (delayMs > 20_000 ? () => {} : instantly(then)),
    },
    random: () => 0,
    fetch: async (url, init) => {
      sent.push({
        method: init.method ?? "GET",
        path: url.slice("http://gate.example".length),
        headers: new Headers(init.headers),
        body: typeof init.body === "string" ? JSON.parse(init.body) : null,
      });
      const answer = answers.shift();
      if (!answer) throw new Error("one request too many");
      return answer();
    },
  });
  return { gateway, sent };
}

function instantly(then: () => void): () => void {
  const timer = setImmediate(then);
  return () => clearImmediate(timer);
}

export const json =
  (body: unknown, status = 200): Answer =>
  () =>
    Response.json(body, { status });
export const refused = (code: string, status: number): Answer =>
  json({ code, message: code, retryable: true }, status);
export const noNetwork: Answer = () => Promise.reject(new TypeError("fetch failed"));
export const events =
  (...texts: string[]): Answer =>
  () =>
    new Response(texts.join(""));
/** Sends these events, then breaks. */
export const broken =
  (...texts: string[]): Answer =>
  () => {
    const pieces = [...texts];
    return new Response(
      new ReadableStream({
        pull(controller) {
          const piece = pieces.shift();
          if (piece === undefined) controller.error(new TypeError("terminated"));
          else controller.enqueue(new TextEncoder().encode(piece));
        },
      }),
    );
  };
