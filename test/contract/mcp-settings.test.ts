/** What the one who runs a gateway may say of MCP: rules, rates, pages, and who else signs tokens. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { onEveryHost } from "./hosts.ts";

const ISSUER = "https://login.example";
const AUDIENCE = "https://hive.example/mcp";
const PAGE = "https://app.example";
const RULES = {
  access: [{ effect: "deny", subjects: ["guest-*"], tools: ["*__change"] }],
  rates: [{ tools: ["demo__look"], perMinute: 1, burst: 2 }],
  sizes: [{ tools: ["demo__change"], argumentBytes: 40 }],
};
const RpcError = z.object({
  error: z.object({ code: z.number(), data: z.looseObject({ code: z.string() }) }).optional(),
});

const listening = async (server: Server) => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server.address();
};

onEveryHost("MCP as it is set up", ({ sidecar }, host) => {
  const mcp = new FakeMcpServers();
  let gateway: RunningGateway;
  let published: object[] = [];
  const keys = createServer((_, response) => response.end(JSON.stringify({ keys: published })));

  beforeAll(async () => {
    const { port } = z.object({ port: z.number() }).parse(await listening(keys));
    gateway = await host.start({
      ...{ sidecarUrl: sidecar.url, keys: sidecar.keys },
      env: {
        ...{
          MCP_RULES: JSON.stringify(RULES),
          MCP_ALLOWED_ORIGINS: PAGE,
          PUBLIC_URL: "https://hive.example",
        },
        ...{ MCP_AUTHORIZATION_SERVERS: ISSUER, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE },
        ...{ JWT_JWKS_URL: `http://127.0.0.1:${port}/keys` },
      },
    });
  });
  afterAll(async () => {
    await gateway.kill("SIGKILL");
    keys.close();
  });

  const post = (method: string, params: object, headers: Record<string, string>) =>
    fetch(`${gateway.url}/mcp/demo`, {
      method: "POST",
      headers: { accept: "application/json, text/event-stream", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
  const call = async (name: string, identity: Partial<Identity>, given: object = {}) =>
    post(
      "tools/call",
      { name, arguments: given },
      { authorization: `Bearer ${await gateway.token(identity)}` },
    );
  const outcome = async (response: Response) => [
    response.status,
    RpcError.parse(await response.json()).error?.data.code,
  ];
  const offer = () =>
    mcp.offer(sidecar, [aTool({ name: "look" }), aTool({ name: "change" })], async () => ({ result: {} }));

  it("T6 S8 hides what a rule denies, and refuses what is too large", async () => {
    offer();
    expect(await outcome(await call("change", { subject: "guest-1" }))).toEqual([200, "unknown_tool"]);
    expect(await outcome(await call("change", { subject: "alice" }))).toEqual([200, undefined]);
    const large = await call("change", { subject: "alice" }, { text: "x".repeat(40) });
    expect(await outcome(large)).toEqual([413, "body_too_large"]);
    expect(mcp.calls).toHaveLength(1);
  });

  it("T7 says when a tool may be called again", async () => {
    offer();
    const identity = { subject: "often" };
    for (const _ of [1, 2]) expect((await call("look", identity)).status).toBe(200);
    const refused = await call("look", identity);
    expect(refused.status).toBe(429);
    const waitS = Number(refused.headers.get("retry-after"));
    expect(waitS).toBeGreaterThan(50);
    expect(await refused.json()).toMatchObject({
      id: 1,
      error: { code: -32012, data: { code: "rate_limited", retryable: true, retry_after: waitS } },
    });
    expect((await call("look", { subject: "another" })).status).toBe(200);
  });

  it("S8 lets pages ask that are allowed, and tells their scripts what they need", async () => {
    offer();
    const url = `${gateway.url}/mcp/demo`;
    const asked = await fetch(url, {
      method: "OPTIONS",
      headers: { origin: PAGE, "access-control-request-headers": "authorization" },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-origin")).toBe(PAGE);
    const refused = await post("ping", {}, { origin: PAGE });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("access-control-expose-headers")).toContain("www-authenticate");
    expect(refused.headers.get("www-authenticate")).toContain(
      'resource_metadata="https://hive.example/.well-known/oauth-protected-resource/mcp/demo"',
    );
    expect(
      (await fetch(url, { method: "OPTIONS", headers: { origin: "https://evil.example" } })).status,
    ).toBe(403);
    expect(await (await fetch(`${gateway.url}/.well-known/oauth-protected-resource`)).json()).toMatchObject({
      ...{ resource: AUDIENCE, authorization_servers: [ISSUER] },
    });
  });

  it("T6 S8 takes tokens that others sign for this gateway, of keys old and new, and no others", async () => {
    offer();
    const signer = async (kid: string, alg: string) => {
      const { publicKey, privateKey } = await generateKeyPair(alg);
      published.push({ ...(await exportJWK(publicKey)), kid });
      return (audience: string, exp = "1h") =>
        new SignJWT({ sub: "alice", hives: ["default"], scope: "openid tools:call:demo__change" })
          .setProtectedHeader({ alg, kid })
          .setIssuer(ISSUER)
          .setAudience(audience)
          .setExpirationTime(exp)
          .sign(privateKey);
    };
    const listed = (token: string) => post("tools/list", {}, { authorization: `Bearer ${token}` });
    published = [];
    const [rsa, ec] = [await signer("a", "RS256"), await signer("b", "ES256")];
    mcp.offer(sidecar, [], async () => ({ result: {} }));
    sidecar.handle("POST /v1/mcp/demo", () =>
      Response.json(
        { jsonrpc: "2.0", id: 1, result: { tools: [{ name: "look" }, { name: "change" }] } },
        { headers: { "hivegate-registry": "1" } },
      ),
    );
    for (const sign of [rsa, ec])
      expect(await (await listed(await sign(AUDIENCE))).json()).toMatchObject({
        result: { tools: [{ name: "change" }] },
      });
    const stranger = await signer("a", "RS256");
    for (const token of [
      await rsa("https://other.example/mcp"),
      await rsa(AUDIENCE, "-1h"),
      await stranger(AUDIENCE),
    ])
      expect((await listed(token)).status).toBe(401);
  });
});
