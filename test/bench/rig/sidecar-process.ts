/**
 * A sidecar whose swarm does what a benchmark asks for, at the rate it asks for. All else is the real one's:
 * the signatures, the telemetry hub, the lines.
 */
import { once } from "node:events";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";
import { asHivegateError } from "../../../shared/errors.ts";
import { Demand } from "../../../shared/protocol/sidecar.ts";
import { authenticate, type Signed } from "../../../sidecar/http/authenticate.ts";
import { macKeys } from "../../../sidecar/http/keys.ts";
import { parseBody, parseTelemetryRequest } from "../../../sidecar/http/parse.ts";
import { createLogger } from "../../../sidecar/log.ts";
import { TelemetryHub } from "../../../sidecar/telemetry/hub.ts";
import { answerParent } from "./child.ts";
import { seededRandom } from "./random.ts";
import { Run, ScriptedSource, Shape } from "./scripted-source.ts";

const Start = z.object({ key: z.string(), shape: Shape });

const log = createLogger({ level: "warn" });
const counts = { streams: 0, demands: 0, sentBytes: 0 };
let source: ScriptedSource | null = null;

answerParent({
  async start(params) {
    const { key, shape } = Start.parse(params);
    source = new ScriptedSource(shape, seededRandom(1));
    const hub = new TelemetryHub({
      ...{ sources: [source], tasks: [], epoch: crypto.randomUUID(), log, now: Date.now },
      watchContainer: () => () => {},
    });
    // A hub knows nothing before somebody reads: the first client would begin with an empty picture.
    const first = hub.open({ reader: "first", intervalMs: 1_000, position: null });
    await first.cancel();
    const server = createAdaptorServer({ fetch: appOf(hub, key).fetch });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address ? address.port : null;
  },
  run: (params) => source?.run(Run.parse(params)),
  pause: () => source?.pause(),
  agents: () => source?.agents,
  counts: () => ({ ...counts, ticks: source?.ticks ?? 0, intervalMs: source?.intervalMs ?? null }),
});

function appOf(hub: TelemetryHub, key: string): Hono<Signed> {
  const keys = macKeys(new Map([["bench", Buffer.from(key, "base64")]]));
  const app = new Hono<Signed>();
  app.use(authenticate({ keys, hive: "default", now: Date.now, log }).middleware);
  app.get("/v1/telemetry", (c) => {
    counts.streams++;
    const lines = hub.open(parseTelemetryRequest(c.req.query()));
    return c.body(lines.pipeThrough(counted()));
  });
  app.post("/v1/telemetry/:reader", (c) => {
    counts.demands++;
    hub.demand(c.req.param("reader"), parseBody(Demand, c.get("body")).intervalMs);
    return c.json({ ok: true });
  });
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    return c.json(error.toBody(), error.httpStatus);
  });
  return app;
}

const counted = () =>
  new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      counts.sentBytes += chunk.length;
      controller.enqueue(chunk);
    },
  });
