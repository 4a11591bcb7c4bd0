/** A collector of spans that speaks OTLP over HTTP, as far as the gateway and the sidecar are concerned. */
import { createServer, type Server } from "node:http";
import { z } from "zod";

const Attribute = z.object({
  key: z.string(),
  value: z.union([
    z.strictObject({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
    z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }).transform(({ intValue }) => Number(intValue)),
    z.strictObject({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  ]),
});
const attributes = z
  .array(Attribute)
  .transform(
    (list): Record<string, unknown> => Object.fromEntries(list.map(({ key, value }) => [key, value])),
  );

/** As the protocol has it: nothing that it does not know may be in it. */
const Span = z.strictObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  traceState: z.string().optional(),
  flags: z.number(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string().regex(/^\d{19}$/),
  endTimeUnixNano: z.string().regex(/^\d{19}$/),
  attributes,
  status: z.strictObject({ code: z.literal(2) }).optional(),
});
export type Span = z.infer<typeof Span>;

const Export = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string(), version: z.string().optional() }),
          spans: z.array(Span),
        }),
      ),
    }),
  ),
});

export type Collected = Span & { service: unknown };

export class Collector implements AsyncDisposable {
  readonly spans: Collected[] = [];
  readonly headers: (string | undefined)[] = [];
  /** How it answers the next requests, before it takes any. */
  readonly refusals: number[] = [];
  requests = 0;
  readonly #server: Server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    this.requests++;
    this.headers.push(request.headers["x-key"]?.toString());
    const refusal = this.refusals.shift();
    if (request.method !== "POST" || request.url !== "/v1/traces") response.writeHead(404).end();
    else if (refusal) response.writeHead(refusal).end();
    else {
      for (const { resource, scopeSpans } of Export.parse(JSON.parse(text)).resourceSpans)
        for (const span of scopeSpans.flatMap(({ spans }) => spans))
          this.spans.push({ ...span, service: resource.attributes["service.name"] });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    }
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the collector has not started");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
