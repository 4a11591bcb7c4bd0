/** The gateway on Cloudflare: a stateless Worker for the routes, Durable Objects for what has state. */
import { createApp } from "./app.ts";
import { type Env, gatewayOf, log } from "./host/cloudflare/env.ts";
import { refuseSession } from "./host/cloudflare/refuse-session.ts";
import { encodeHello, HELLO_HEADER } from "./host/cloudflare/shard-object.ts";
import page from "./page/dist/index.html";

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
  return createApp({
    gateway: gatewayOf(env),
    page,
    now: () => Date.now(),
    uuid: () => crypto.randomUUID(),
    openSession(request, hello) {
      const headers = new Headers(request.headers);
      headers.set(HELLO_HEADER, encodeHello(hello));
      const shard = env.SHARD.get(env.SHARD.idFromName(`${hello.hive}/0`));
      return shard.fetch("http://shard/session", { headers });
    },
    refuseSession,
    log,
  });
}
