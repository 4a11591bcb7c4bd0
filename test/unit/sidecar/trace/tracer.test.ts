import { randomBytes, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../../../shared/limits.ts";
import { parseTraceparent, traceparentOf, validTracestate } from "../../../../shared/trace/context.ts";
import {
  NO_TRACES,
  type TraceSettings,
  TraceVariables,
  traceSettings,
} from "../../../../shared/trace/settings.ts";
import { Tracer } from "../../../../shared/trace/tracer.ts";
import { tracedUpstream } from "../../../../sidecar/trace/traced-upstream.ts";
import { Collector } from "../../../support/collector.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

function aTracer(settings: Partial<TraceSettings>) {
  const log = vi.fn();
  const tracer = new Tracer({
    settings: { ...NO_TRACES, ...settings },
    resource: { service: "test", version: "1.0.0" },
    ...{ fetch, uuid: randomUUID, now: Date.now, log },
    randomHex: (bytes) => randomBytes(bytes).toString("hex"),
    // Flushed by hand.
    pause: () => new Promise(() => {}),
  });
  return { tracer, log };
}

const about = {
  name: "tools/call echo",
  kind: "server" as const,
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_005,
};
const end = (tracer: Tracer, trace: ReturnType<Tracer["begin"]>, error: string | null = null) =>
  tracer.end(
    trace,
    { ...about, error, attributes: { "mcp.method.name": "tools/call", n: 3, f: 0.5, no: null } },
    () => {},
  );

describe("W3C trace context", () => {
  it("T9 is read and said again as it was", () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        const isZero = /^0+$/.test(traceId) || /^0+$/.test(spanId);
        const context = { traceId, spanId, sampled };
        expect(parseTraceparent(traceparentOf(context))).toEqual(isZero ? null : context);
      }),
    );
  });

  it("T9 is refused where it is wrong, and read where a later version says more", () => {
    const wrong = [
      ...["", "x", PARENT.toUpperCase(), `${PARENT}-more`, PARENT.replace(/^00/, "ff"), ` ${PARENT}`],
      ...[
        `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
        `00-${TRACE}-${"0".repeat(16)}-01`,
        `00-${TRACE}-b7ad-01`,
        `01-${TRACE}-b7ad6b7169203331-01-€`,
        `01-${TRACE}-b7ad6b7169203331-01-${"m".repeat(50)}`,
      ],
    ];
    expect(wrong.map((header) => parseTraceparent(header))).toEqual(wrong.map(() => null));
    expect(parseTraceparent(`01-${TRACE}-b7ad6b7169203331-01-more`)).toMatchObject({ traceId: TRACE });
    expect(parseTraceparent(`00-${TRACE}-b7ad6b7169203331-02`)?.sampled).toBe(false);
  });

  it("T9 keeps a tracestate that is one, and no other", () => {
    expect(validTracestate("rojo=00f067aa0ba902b7, tenant@vendor=t61r")).toBe(
      "rojo=00f067aa0ba902b7,tenant@vendor=t61r",
    );
    const wrong = [
      "",
      "no pairs",
      "a=\u0001",
      "A=b",
      "a=b=c",
      `a=${"x".repeat(600)}`,
      Array(33).fill("a=b").join(","),
    ];
    expect(wrong.map((header) => validTracestate(header))).toEqual(wrong.map(() => null));
  });
});

describe("the tracer", () => {
  it("T9 passes on what came as it came, and makes nothing, while there is no collector", () => {
    const { tracer } = aTracer({});
    expect(tracer.isOn).toBe(false);
    expect(tracer.begin(PARENT, "a=b")).toEqual({
      ...{ traceId: TRACE, headers: { traceparent: PARENT, tracestate: "a=b" }, span: null },
    });
    expect(tracer.begin(undefined)).toEqual({ traceId: null, headers: null, span: null });
    expect(tracer.begin("nonsense", "a=b")).toEqual({ traceId: null, headers: null, span: null });
  });

  it("T9 continues a client's trace, and tells a real collector of its part", async () => {
    await using collector = await new Collector().start();
    const { tracer } = aTracer({ endpoint: `${collector.url}/`, headers: { "x-key": "secret" } });
    const trace = tracer.begin(PARENT, "a=b");
    const { spanId = "" } = parseTraceparent(trace.headers?.traceparent) ?? {};
    expect(trace).toMatchObject({ traceId: TRACE, headers: { tracestate: "a=b" } });
    expect(spanId).not.toBe("b7ad6b7169203331");
    end(tracer, trace, "timeout");
    await tracer.flush();
    expect(collector.headers).toEqual(["secret"]);
    expect(collector.spans).toEqual([
      {
        ...{ service: "test", traceId: TRACE, spanId, parentSpanId: "b7ad6b7169203331", traceState: "a=b" },
        ...{ name: "tools/call echo", kind: 2, flags: 1, status: { code: 2 } },
        ...{ startTimeUnixNano: "1700000000000250000", endTimeUnixNano: "1700000000005000000" },
        attributes: { "mcp.method.name": "tools/call", n: 3, f: 0.5, "error.type": "timeout" },
      },
    ]);
  });

  it("T9 samples as its parent did, else by its share", async () => {
    await using collector = await new Collector().start();
    const endpoint = collector.url;
    const sampled = (ratio: number, parent?: string) =>
      aTracer({ endpoint, ratio }).tracer.begin(parent).span !== null;
    expect([sampled(0, PARENT), sampled(1, PARENT.replace(/01$/, "00"))]).toEqual([true, false]);
    const { tracer } = aTracer({ endpoint, ratio: 0.25 });
    const kept = Array.from({ length: 4_000 }, () => tracer.begin(null)).filter(({ span }) => span !== null);
    expect(kept.length).toBeGreaterThan(800);
    expect(kept.length).toBeLessThan(1_200);
    // Whoever is asked next hears of the decision too.
    expect(aTracer({ endpoint, ratio: 0 }).tracer.begin(null).headers?.traceparent).toMatch(/-00$/);
    expect(sampled(1)).toBe(true);
  });

  it("S6 T9 tries again when the collector is away for a moment, and gives up what it does not want", async () => {
    await using collector = await new Collector().start();
    const { tracer, log } = aTracer({ endpoint: collector.url });
    collector.refusals.push(503, 400);
    end(tracer, tracer.begin(PARENT));
    await tracer.flush();
    expect(log).toHaveBeenCalledOnce();
    await tracer.flush();
    expect(collector.requests).toBe(2);
    await tracer.flush();
    expect([collector.requests, collector.spans.length]).toEqual([2, 0]);
  });

  it("S6 T9 holds no more spans than it may while the collector is away", async () => {
    await using collector = await new Collector().start();
    const { tracer } = aTracer({ endpoint: collector.url });
    collector.refusals.push(...Array<number>(100_000).fill(503));
    for (let count = 0; count < 2 * LIMITS.spansHeld; count++) end(tracer, tracer.begin(PARENT));
    await tracer.flush();
    collector.refusals.length = 0;
    await expect
      .poll(async () => {
        await tracer.flush();
        return collector.spans.length;
      })
      .toBe(LIMITS.spansHeld);
  });

  it("T9 is set by OpenTelemetry's own variables, and says which one is wrong", () => {
    const read = (variables: Record<string, string>) => {
      const parsed = z.object(TraceVariables).safeParse(variables);
      return parsed.success ? traceSettings(parsed.data) : parsed.error.issues[0]?.path[0];
    };
    expect(read({})).toEqual(NO_TRACES);
    expect(
      read({
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20abc=, x-team = blue",
        OTEL_TRACES_SAMPLER_ARG: "0.1",
      }),
    ).toEqual({
      endpoint: "https://collector.example",
      headers: { authorization: "Basic abc=", "x-team": "blue" },
      ratio: 0.1,
    });
    expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector" })).toBe("OTEL_EXPORTER_OTLP_ENDPOINT");
    expect(read({ OTEL_EXPORTER_OTLP_HEADERS: "secret" })).toBe("OTEL_EXPORTER_OTLP_HEADERS");
    expect(read({ OTEL_TRACES_SAMPLER_ARG: "2" })).toBe("OTEL_TRACES_SAMPLER_ARG");
  });
});

describe("an MCP server that is traced", () => {
  it("T9 gets the client's trace with the sidecar's span as its parent, and what came of it is told", async () => {
    await using collector = await new Collector().start();
    const { tracer } = aTracer({ endpoint: collector.url });
    const seen: (string | undefined)[] = [];
    const answers = [
      { result: { content: [] } },
      { result: { isError: true } },
      { error: { code: -32602, message: "no" } },
    ];
    const upstream = tracedUpstream(
      {
        ...{ name: "demo", connections: 1, isOpen: true, notify: () => {}, onNotification: () => () => {} },
        info: () => Promise.reject(new Error("nobody asks")),
        async exchange(_, { trace }) {
          seen.push(trace?.traceparent);
          const answer = answers.shift();
          if (!answer) throw new Error("no answer is left");
          return answer;
        },
      },
      tracer,
    );
    const call = { method: "tools/call", params: { name: "echo" } };
    const exchange = { client: "c", signal: new AbortController().signal, trace: { traceparent: PARENT } };
    for (let count = 0; count < 3; count++) await upstream.exchange(call, exchange);
    await expect(upstream.exchange(call, exchange)).rejects.toThrow();
    await tracer.flush();
    expect(collector.spans.map(({ attributes }) => attributes["error.type"])).toEqual([
      ...[undefined, "tool_error", "-32602", "internal"],
    ]);
    expect(seen).toEqual(collector.spans.map(({ spanId }) => `00-${TRACE}-${spanId}-01`));
    expect(collector.spans[0]).toMatchObject({
      ...{ name: "tools/call echo", kind: 3, parentSpanId: "b7ad6b7169203331" },
      attributes: { "mcp.method.name": "tools/call", "gen_ai.tool.name": "echo", "hivegate.server": "demo" },
    });
  });
});
