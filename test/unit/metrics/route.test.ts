import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { asHivegateError } from "../../../shared/errors.ts";
import { metricsRoute } from "../../../sidecar/metrics/route.ts";

const TOKEN = "0123456789abcdef";

function statusOf(token: string | null, remoteAddress: string, headers: Record<string, string> = {}) {
  const app = new Hono();
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    return c.json(error.toBody(), error.httpStatus);
  });
  app.get("/metrics", (c) => metricsRoute(c, { scrape: async () => "bees 1\n", token }));
  const peer = { incoming: { socket: { remoteAddress } } };
  const request = { headers: { host: "localhost:9700", ...headers } };
  return Promise.resolve(app.request("/metrics", request, peer)).then(({ status }) => status);
}

describe("the sidecar's /metrics", () => {
  it.each(["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])(
    "H10 S8 is there for %s",
    async (address) => {
      expect(await statusOf(null, address)).toBe(200);
    },
  );

  it.each(["10.0.0.7", "::ffff:10.0.0.7", "fe80::1", "1.127.0.1", ""])(
    "H10 S8 is for this host alone without a token, not for '%s'",
    async (address) => {
      expect(await statusOf(null, address)).toBe(403);
    },
  );

  it.each(["x-forwarded-for", "forwarded", "via", "x-real-ip", "cf-connecting-ip"])(
    "S8 takes what a proxy or tunnel on this host passes on (%s) for a stranger's",
    async (name) => {
      expect(await statusOf(null, "127.0.0.1", { [name]: "1.2.3.4" })).toBe(403);
    },
  );

  it.each(["127.0.0.1", "127.0.0.1:9700", "localhost", "[::1]:9700"])(
    "H10 is there when asked as %s",
    async (host) => {
      expect(await statusOf(null, "127.0.0.1", { host })).toBe(200);
    },
  );

  it.each(["sidecar.example.com", "10.0.0.7:9700", "localhost.example.com", "127.0.0.1.example.com", ""])(
    "S8 is for nobody who came through a tunnel to '%s' without a token",
    async (host) => {
      expect(await statusOf(null, "127.0.0.1", { host })).toBe(403);
      expect(await statusOf(TOKEN, "127.0.0.1", { host, authorization: `Bearer ${TOKEN}` })).toBe(200);
    },
  );

  it("S8 asks everybody for the token where there is one", async () => {
    const withToken = (text: string) => ({ authorization: `Bearer ${text}` });
    expect(await statusOf(TOKEN, "10.0.0.7", withToken(TOKEN))).toBe(200);
    expect(await statusOf(TOKEN, "10.0.0.7", withToken(`${TOKEN}x`))).toBe(401);
    expect(await statusOf(TOKEN, "10.0.0.7")).toBe(401);
    expect(await statusOf(TOKEN, "127.0.0.1")).toBe(401);
  });
});
