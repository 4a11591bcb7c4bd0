/** The gateway on Cloudflare: a stateless Worker for the routes, Durable Objects for what has state. */
import { waitUntil } from "cloudflare:workers";
import { HivegateError } from "../shared/errors.ts";
import { createApp, type OpenSession } from "./app.ts";
import { type Env, gatewayOf } from "./host/cloudflare/env.ts";
import { refuseSession } from "./host/cloudflare/refuse-session.ts";
import { encodeHello, HELLO_HEADER } from "./host/cloudflare/shard-object.ts";
import { log } from "./log.ts";
import { metricsText } from "./metrics.ts";
import page from "./page/dist/index.html";
import { Placement, relayShards } from "./session/placement.ts";

export { HiveObject } from "./host/cloudflare/hive-object.ts";
export { ShardObject } from "./host/cloudflare/shard-object.ts";

const apps = new WeakMap<object, ReturnType<typeof createApp>>();

export default {
  fetch(request, env, context) {
    const app = apps.get(env) ?? appOf(env);
    apps.set(env, app);
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;

function appOf(env: Env) {
  const placement = new Placement();
  return createApp({
    gateway: gatewayOf(env),
    page,
    now: () => Date.now(),
    uuid: () => crypto.randomUUID(),
    openSession: (request, session) => openSession(env, placement, request, session),
    refuseSession,
    metrics: (hive) => metricsOf(env, hive),
    audit: (hive, after, limit) => hiveOf(env, hive).audit(hive, after, limit),
    toolStats: (hive) => hiveOf(env, hive).toolStats(hive),
    defer: waitUntil,
    log,
  });
}

const hiveOf = (env: Env, hive: string) => env.HIVE.get(env.HIVE.idFromName(hive));

/** Relays' shards are asked themselves, which wakes none that has clients; one that does not answer is left out. */
async function metricsOf(env: Env, hive: string): Promise<string> {
  const asked = relayShards(hive).map(async (name) => {
    const shard = env.SHARD.get(env.SHARD.idFromName(name));
    const samples = await shard.relaySamples().catch((error: unknown) => log("relay metrics", error));
    return samples ? [[name, samples] as const] : [];
  });
  const [own, relayed] = await Promise.all([hiveOf(env, hive).samples(hive), Promise.all(asked)]);
  return metricsText(own, new Map(relayed.flat()), hive);
}

async function openSession(env: Env, placement: Placement, request: Request, session: OpenSession) {
  const headers = new Headers(request.headers);
  headers.set(HELLO_HEADER, encodeHello(session));
  for (const name of placement.candidates(session, Date.now())) {
    const shard = env.SHARD.get(env.SHARD.idFromName(name));
    const response = await shard.fetch("http://shard/session", { headers });
    if (response.status !== 503) return response;
    if ((await response.text()) !== "full") break;
    placement.isFull(name, Date.now());
  }
  throw new HivegateError("overloaded");
}
