/** What must not open tools: patterns that nearly fit, tokens that are none, bodies that say two things; and what must not be told. */
import { createServer } from "node:http";
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import type { Identity, Permission } from "../../shared/auth/permission.ts";
import { REGISTRY_HEADER } from "../../shared/protocol/tools.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { portOf } from "../support/line-server.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { overStdio } from "../support/scripted-mcp.ts";
import { onEveryHost } from "./hosts.ts";

const TOOLS = ["look", "look_up", "Look", "change"];
const PATTERNS: [permission: Permission, opens: string[]][] = [
  ["tools:call", TOOLS],
  ["tools:call:*", TOOLS],
  ["tools:call:demo__*", TOOLS],
  ["tools:call:de*", TOOLS],
  ["tools:call:demo__look", ["look"]],
  ["tools:call:demo__look*", ["look", "look_up"]],
  ["tools:call:*_up", ["look_up"]],
  ["tools:call:demo__l*k", ["look"]],
  ["tools:call:demo__loo", []],
  ["tools:call:demo__loo?", []],
  ["tools:call:demo__.*", []],
  ["tools:call:emo__look", []],
  ["tools:call:look", []],
  ["tools:call:demo", []],
  ["prompts:get:demo__*", []],
  ["resources:read:demo", []],
];
const SECRET = "hunter2-correct-horse";
const TOKEN = "sk-live-0123456789abcdef0123456789";

const Message = z.object({ id: z.number(), method: z.string(), params: z.looseObject({}).optional() });
const Listed = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });
const Found = z.object({ servers: z.array(z.object({ tools: z.array(z.object({ name: z.string() })) })) });

onEveryHost("what opens no tool", ({ sidecar, gateway, connect }, host) => {
  const mcp = new FakeMcpServers();
  const offer = () => {
    mcp.offer(
      sidecar,
      TOOLS.map((name) => aTool({ name, readOnly: name === "look" })),
      async () => ({ result: {} }),
    );
    for (const [path, prefix] of [
      ["/v1/mcp/demo", ""],
      ["/v1/mcp", "demo__"],
    ])
      sidecar.handle(`POST ${path}`, (_, body) => {
        const { id, method } = Message.parse(body);
        const tools = TOOLS.map((name) => ({ name: `${prefix}${name}`, inputSchema: { type: "object" } }));
        const result = method === "tools/list" ? { tools } : { content: [] };
        return Response.json({ jsonrpc: "2.0", id, result }, { headers: { [REGISTRY_HEADER]: "1" } });
      });
  };
  /** Which tools the sidecar was asked to call, by whichever way. */
  const reached = (): number =>
    sidecar.asked.filter(
      ({ path, body }) =>
        path === "/v1/tool-streams" ||
        (path.startsWith("/v1/mcp") && Message.safeParse(body).data?.method === "tools/call"),
    ).length;

  const send = async (
    path: string,
    { token, body, of = gateway() }: { token: string; body?: unknown; of?: RunningGateway },
  ) =>
    fetch(`${of.url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const rpc = (method: string, params: object = {}) => ({ jsonrpc: "2.0", id: 1, method, params });
  const http = "/v1/hives/default/tools";

  it.each(PATTERNS)(
    "T6 S8 %s opens what it names, by every way to a tool, and nothing beside it",
    async (permission, opens) => {
      offer();
      const identity: Partial<Identity> = {
        subject: crypto.randomUUID(),
        permissions: ["telemetry:read", permission],
      };
      const token = await gateway().token(identity);
      const socket = await connect({ identity });
      const ways: ((tool: string) => Promise<unknown>)[] = [
        (name) => send("/mcp/demo", { token, body: rpc("tools/call", { name }) }),
        (name) => send("/mcp", { token, body: rpc("tools/call", { name: `demo__${name}` }) }),
        (name) => send(`${http}/demo__${name}`, { token, body: {} }),
        (name) => send(`${http}/batch`, { token, body: { calls: [{ id: 1, tool: `demo__${name}` }] } }),
        (name) => socket.ask({ type: "call_tool", tool: `demo__${name}` }),
        (name) => socket.ask({ type: "call_tool", tool: `demo__${name}`, stream: true }),
        async (name) => {
          const response = await send(`${http}/demo__${name}?stream=1`, { token, body: {} });
          await response.body?.cancel();
        },
      ];
      for (const [way, call] of ways.entries())
        for (const tool of TOOLS) {
          const before = reached();
          await call(tool);
          expect([way, tool, reached() - before]).toEqual([way, tool, opens.includes(tool) ? 1 : 0]);
        }

      const listed = async (path: string) => {
        const { data } = Listed.safeParse(
          await (await send(path, { token, body: rpc("tools/list") })).json(),
        );
        return (
          data?.result.tools.map(({ name }) => name).filter((name) => !name.startsWith("hivegate__")) ?? []
        );
      };
      expect(await listed("/mcp/demo")).toEqual(opens);
      expect(await listed("/mcp")).toEqual(opens.map((name) => `demo__${name}`));
      const found = Found.safeParse(await (await send(http, { token })).json()).data?.servers ?? [];
      expect(found.flatMap(({ tools }) => tools.map(({ name }) => name))).toEqual(opens);
    },
  );

  it("S8 a body that names two tools is taken for the one that the server will see", async () => {
    offer();
    const token = await gateway().token({ permissions: ["tools:call:demo__look"] });
    const twice = (first: string, last: string) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${first}","name":"${last}"}}`;
    await (await send("/mcp/demo", { token, body: twice("look", "change") })).text();
    expect(reached()).toBe(0);
    await (await send("/mcp/demo", { token, body: twice("change", "look") })).text();
    expect(reached()).toBe(1);
    expect(sidecar.asked.at(-1)?.body).toMatchObject({ params: { name: "look" } });
  });

  it("T6 S8 tokens that are none open nothing, and nothing is said of what is wrong with them", async () => {
    offer();
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    const [jwk, pem] = [await exportJWK(publicKey), await exportSPKI(publicKey)];
    const published = createServer((_, response) =>
      response.end(JSON.stringify({ keys: [{ ...jwk, kid: "a" }] })),
    );
    await new Promise<void>((resolve) => published.listen(0, "127.0.0.1", resolve));
    const ours = await host.start({
      ...{ sidecarUrl: sidecar.url, keys: sidecar.keys },
      env: {
        ...{ JWT_ISSUER: "https://login.example", JWT_AUDIENCE: "https://hive.example/mcp" },
        JWT_JWKS_URL: `http://127.0.0.1:${portOf(published)}/keys`,
      },
    });
    onTestFinished(async () => {
      await ours.kill("SIGKILL");
      published.close();
    });
    const secret = Buffer.from(ours.jwtSecret, "base64");
    const claims = { hives: ["*"], permissions: ["tools:call"], sub: "eve" };
    const good = { iss: "hivegate", exp: "1h" };
    const theirs = { iss: "https://login.example", aud: "https://hive.example/mcp", exp: "1h" };
    type Said = { iss: string; exp: string | null; aud?: string; nbf?: string };
    const signed = (
      { iss, exp, aud, nbf }: Said,
      header: JWTHeaderParameters,
      key: Parameters<SignJWT["sign"]>[0],
    ) => {
      const token = new SignJWT(claims).setProtectedHeader(header).setIssuer(iss);
      if (exp !== null) token.setExpirationTime(exp);
      if (aud !== undefined) token.setAudience(aud);
      if (nbf !== undefined) token.setNotBefore(nbf);
      return token.sign(key);
    };
    const [HS, RS] = [{ alg: "HS256" }, { alg: "RS256", kid: "a" }];
    const confused = { alg: "HS256", kid: "a" };
    const padded = (text: string) => new TextEncoder().encode(text);
    const status = async (token: string) => {
      const response = await send("/mcp/demo", {
        token,
        body: rpc("tools/call", { name: "look" }),
        of: ours,
      });
      return [
        response.status,
        z.object({ error: z.object({ message: z.string() }).optional() }).parse(await response.json()).error
          ?.message,
      ];
    };
    expect(await status(await signed(good, HS, secret))).toEqual([200, undefined]);
    expect(await status(await signed(theirs, RS, privateKey))).toEqual([200, undefined]);
    const before = reached();
    const unsigned = (said: Said) =>
      new UnsecuredJWT(claims).setIssuer(said.iss).setExpirationTime("1h").encode();
    const wrong = await Promise.all([
      unsigned(good),
      unsigned(theirs),
      signed(good, HS, padded("x".repeat(32))),
      signed(good, { alg: "HS512" }, secret),
      signed({ ...good, aud: "https://other.example" }, HS, secret),
      signed({ ...good, exp: null }, HS, secret),
      signed({ ...good, nbf: "10m" }, HS, secret),
      signed({ ...good, iss: "https://login.example" }, HS, secret),
      // A public key in the place of the secret, and ours in the words of the others.
      signed(theirs, confused, padded(JSON.stringify(jwk))),
      signed(theirs, confused, padded(pem)),
      signed(theirs, confused, secret),
      signed({ ...theirs, aud: "https://other.example" }, RS, privateKey),
      signed({ ...theirs, iss: "hivegate" }, RS, privateKey),
      signed(theirs, { ...RS, kid: "b" }, privateKey),
    ]);
    const refusals = await Promise.all(wrong.map(status));
    for (const refusal of refusals) expect(refusal).toEqual([401, refusals[0]?.[1]]);
    expect((await status(await signed({ ...good, exp: "-1s" }, HS, secret)))[0]).toBe(401);
    const inAddress = await fetch(`${ours.url}/mcp/demo?access_token=${await signed(good, HS, secret)}`, {
      method: "POST",
      body: JSON.stringify(rpc("tools/call", { name: "look" })),
    });
    expect(inAddress.status).toBe(401);
    expect(reached()).toBe(before);
  });

  it("T3 T6 a token that was good opens nothing from the moment on that it is over, not what is kept either", async () => {
    mcp.offer(sidecar, [aTool({ name: "look", readOnly: true })], async () => ({ result: { content: [] } }));
    const [subject, expiresMs] = [crypto.randomUUID(), Date.now() + 6_000];
    const token = await gateway().token({ subject, expiresMs });
    const look = (token: string) => send("/mcp/demo", { token, body: rpc("tools/call", { name: "look" }) });
    await vi.waitUntil(async () => (await look(token)).headers.get("hivegate-cache")?.startsWith("hit"), {
      timeout: 5_000,
      interval: 20,
    });
    await vi.waitUntil(async () => (await look(token)).status === 401, { timeout: 10_000, interval: 20 });
    expect(Date.now()).toBeLessThan(expiresMs + 1_500);
    // What was kept is still there, for a token that is good.
    const fresh = await look(await gateway().token({ subject }));
    expect(fresh.headers.get("hivegate-cache")).toMatch(/^hit/);
  });

  it("S8 T7 secrets in arguments are in no log, no metric and no audit entry, at either end", {
    timeout: 60_000,
  }, async () => {
    const real = await startMcpSidecar([overStdio("demo")], { LOG_LEVEL: "debug" });
    const ours = await host.start({
      sidecarUrl: real.sidecar.url,
      keys: real.keys,
      env: { AUDIT_ARGUMENTS: "true" },
    });
    onTestFinished(async () => {
      await ours.kill("SIGKILL");
      await real.stop();
    });
    const subject = "keeps-secrets";
    const token = await ours.token({ subject });
    const given = { password: SECRET, note: `the key is ${TOKEN}`, deep: [{ api_key: SECRET }] };
    const post = async (path: string, body: unknown) => (await send(path, { token, body, of: ours })).text();
    const answers: string[] = [];
    // Tools that answer, that fail, that are not there, and a server that dies with the call.
    for (const name of ["echo", "no_such_tool", "die", "echo"]) {
      answers.push(await post("/mcp/demo", rpc("tools/call", { name, arguments: given })));
      answers.push(await post(`${http}/demo__${name}`, given));
      answers.push(
        await post(`${http}/batch`, { calls: [{ id: 1, tool: `demo__${name}`, arguments: given }] }),
      );
      answers.push(await post(`${http}/demo__${name}?stream=1`, given));
    }
    await post("/mcp/demo", rpc("tools/call", { name: 7, arguments: given }));
    await post("/mcp/nowhere", rpc("tools/call", { name: "echo", arguments: given }));
    expect(answers.join()).toContain(SECRET);
    const text = async (path: string) => (await send(path, { token, of: ours })).text();
    const audit = () => text("/v1/hives/default/audit");
    await expect.poll(audit, { timeout: 15_000, interval: 50 }).toContain("no_such_tool");
    const told = [
      ...[ours.log(), real.sidecar.output(), await audit(), await text("/v1/hives/default/tools/stats")],
      ...[await text("/metrics"), await (await fetch(`${real.sidecar.url}/metrics`)).text()],
    ];
    expect(told.every((one) => one.length > 0 || one === ours.log())).toBe(true);
    for (const one of told) for (const secret of [SECRET, TOKEN]) expect(one).not.toContain(secret);
  });
});
