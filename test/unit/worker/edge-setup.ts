import { onTestFinished, vi } from "vitest";
import { ALL_PERMISSIONS, type Identity } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { createApp } from "../../../worker/app.ts";
import { readConfig } from "../../../worker/config.ts";
import { Gateway } from "../../../worker/gateway.ts";
import type { KeptEvent } from "../../../worker/mcp/events.ts";
import { SECRET } from "./shard-setup.ts";

const KEY = Buffer.alloc(32, 1).toString("base64");

type Sidecar = (url: string, init: RequestInit) => Promise<Response>;

/** All of the gateway's routes in this process, before a sidecar of hive `default` that answers calls like this. */
export function edgeBefore(sidecar: Sidecar, environment: Record<string, string> = {}) {
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) =>
    url.includes("/v1/registry") ? new Response(null, { status: 503 }) : sidecar(url, init),
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  const kept: KeptEvent[] = [];
  const deferred: Promise<void>[] = [];
  const logged: string[] = [];
  const config = readConfig({
    HIVES: JSON.stringify({ default: { url: "http://sidecar.invalid", kid: "k" } }),
    ...{ SIDECAR_KEYS: JSON.stringify({ k: KEY }), JWT_SECRET: Buffer.from(SECRET).toString("base64") },
    ...environment,
  });
  const gateway = new Gateway(config, async (_, { items }) => void kept.push(...items));
  const nobodyAsks = () => Promise.reject(new Error("nobody asks for this"));
  const app = createApp({
    ...{
      gateway,
      page: "",
      now: Date.now,
      uuid: () => crypto.randomUUID(),
      defer: (work) => void deferred.push(work),
    },
    ...{ openSession: nobodyAsks, refuseSession: () => new Response() },
    ...{ metrics: nobodyAsks, audit: nobodyAsks, toolStats: nobodyAsks },
    log: (message) => logged.push(message),
  });
  const ask = async (path: string, init: RequestInit = {}, identity: Partial<Identity> = {}) => {
    const whole: Identity = {
      ...{ subject: "ada", hives: ["*"], permissions: [...ALL_PERMISSIONS], scope: {} },
      ...{ expiresMs: Date.now() + 60_000, ...identity },
    };
    const token = await mintToken(whole, SECRET, Date.now());
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${token}`);
    if (typeof init.body === "string") headers.set("content-length", String(Buffer.byteLength(init.body)));
    return app.request(new Request(`http://gateway.test${path}`, { ...init, headers }));
  };
  const post = (path: string, body: unknown, init: RequestInit = {}, identity: Partial<Identity> = {}) =>
    ask(path, { ...init, method: "POST", body: JSON.stringify(body) }, identity);
  /** What is remembered by now. */
  const remembered = async () => {
    await gateway.events.flush();
    return kept;
  };
  return { app, gateway, ask, post, remembered, deferred, logged };
}

const FROM_SIDECAR = { "hivegate-registry": "1" };
export const json = (answer: unknown): Response =>
  Response.json({ jsonrpc: "2.0", id: 1, ...Object(answer) }, { headers: FROM_SIDECAR });
export const eventStream = (body: ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { ...FROM_SIDECAR, "content-type": "text/event-stream" } });

export const CALL = {
  ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
  params: { name: "look", arguments: {} },
};
