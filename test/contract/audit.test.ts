import { expect, it } from "vitest";
import { sealWith } from "../../shared/audit/chain.ts";
import { ChainVerifier, type Verdict } from "../../shared/audit/verify.ts";
import { ALL_PERMISSIONS, type Identity } from "../../shared/auth/permission.ts";
import { REGISTRY_HEADER } from "../../shared/protocol/tools.ts";
import { aTask } from "../support/agents.ts";
import { hmac, sha256Hex } from "../support/digests.ts";
import { onEveryHost } from "./hosts.ts";

type Line = { seq: number; entry: Record<string, unknown> };

onEveryHost("the audit log", ({ sidecar, gateway, connect }) => {
  const ask = async (
    path: string,
    init: RequestInit & { identity?: Partial<Identity>; token?: string } = {},
  ) => {
    const token = init.token ?? (await gateway().token(init.identity));
    const headers = { authorization: `Bearer ${token}`, ...init.headers };
    return fetch(`${gateway().url}${path}`, { ...init, headers });
  };
  const exported = async (query = ""): Promise<string[]> => {
    const response = await ask(`/v1/hives/default/audit${query}`);
    expect(response.status).toBe(200);
    return (await response.text()).trim().split("\n");
  };
  const entries = async (): Promise<Line[]> =>
    (await exported()).slice(0, -1).map((line): Line => JSON.parse(line));
  const found = async (fits: (entry: Record<string, unknown>) => boolean) =>
    expect
      .poll(async () => (await entries()).map(({ entry }) => entry).find(fits), LATE)
      .toBeDefined()
      .then(async () => (await entries()).map(({ entry }) => entry).find(fits));
  const verify = (lines: readonly string[]): Verdict => {
    const [kid = "", key = ""] = Object.entries(sidecar.keys)[0] ?? [];
    const seal = sealWith(hmac, { kid, key: Buffer.from(key, "base64") });
    const verifier = new ChainVerifier({
      sha256: sha256Hex,
      sealOf: (asked) => (asked === kid ? seal : null),
    });
    for (const line of lines) verifier.push(line);
    return verifier.end();
  };

  it("T7 tells who changed what, when, how it went, and how long it took", async () => {
    const identity = { subject: "the-one-who-starts" };
    const body = JSON.stringify({ task: "count the stars" });
    sidecar.answer("POST /v1/tasks", {
      task: aTask(),
      created: true,
      telemetry: { status: "telemetry_unavailable" },
    });
    const beganMs = Date.now();
    await ask("/v1/hives/default/tasks", {
      ...{ method: "POST", body, identity },
      headers: { "content-type": "application/json", "content-length": String(body.length) },
    });
    const entry = await found(({ client }) => client === identity.subject);
    expect(entry).toMatchObject({
      ...{ kind: "request", hive: "default", method: "POST /v1/hives/default/tasks" },
      ...{ outcome: "ok", code: null, requestBytes: body.length },
    });
    expect(entry?.atMs).toBeGreaterThanOrEqual(beganMs - 1_000);
    expect(entry?.durationMs).toBeGreaterThanOrEqual(0);
    expect(JSON.stringify(await entries())).not.toContain("count the stars");
  });

  it("T7 S8 tells of refused tokens, over HTTP and on sockets, and never shows one", async () => {
    const token = await gateway().token({ expiresMs: Date.now() - 10_000 });
    expect((await ask("/v1/hives/default/status", { token })).status).toBe(401);
    expect(await found(({ code }) => code === "token_expired")).toMatchObject({
      ...{ client: null, outcome: "refused", method: "GET /v1/hives/default/status" },
    });
    const client = await connect({ identity: { subject: "reader", permissions: ["tasks:read"] } });
    await client.closed;
    expect(await found((entry) => entry.client === "reader")).toMatchObject({
      ...{ outcome: "refused", code: "forbidden", method: "GET /v1/hives/default/stream" },
    });
    expect((await exported()).join("\n")).not.toContain(token);
  });

  it("T7 has each call of a tool over HTTP once, also one that is refused before or after it is looked at", async () => {
    const call = (tool: string, body: string, identity: Partial<Identity>) =>
      ask(`/v1/hives/default/tools/${tool}`, {
        ...{ method: "POST", body, identity },
        headers: { "content-length": String(body.length) },
      });
    const some = { subject: "some-tools", permissions: ["tools:call:demo__a"] } satisfies Partial<Identity>;
    expect((await call("demo__b", "{}", some)).status).toBe(404);
    expect((await call("demo__a", "[]", { ...some, subject: "no-arguments" })).status).toBe(400);
    expect((await call("demo__a", "{}", { subject: "no-tools", permissions: ["tasks:read"] })).status).toBe(
      403,
    );
    await found(({ client }) => client === "no-tools");
    const told = (await entries()).filter(({ entry }) => String(entry.method).match(/tools/));
    expect(told.map(({ entry }) => [entry.client, entry.tool, entry.outcome, entry.code])).toEqual([
      ["some-tools", "b", "refused", "unknown_tool"],
      ["no-arguments", null, "refused", "invalid_request"],
      ["no-tools", null, "refused", "forbidden"],
    ]);
  });

  it("T7 tells of a call whose client hung up before its answer", async () => {
    const identity = { subject: crypto.randomUUID() };
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
    const { promise: late, resolve: answer } = Promise.withResolvers<void>();
    sidecar.handle("POST /v1/mcp/demo", async () => {
      isAsked();
      await late;
      return Response.json({ jsonrpc: "2.0", id: 1, result: {} }, { headers: { [REGISTRY_HEADER]: "1" } });
    });
    const client = new AbortController();
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "look" } };
    const init = { method: "POST", body: JSON.stringify(call), identity, signal: client.signal };
    const left = expect(ask("/mcp/demo", init)).rejects.toThrow("aborted");
    await asked;
    client.abort();
    await left;
    answer();
    // On Workers the gateway does not hear of it, and goes on.
    expect(await found((entry) => entry.client === identity.subject)).toMatchObject({
      ...{ method: "tools/call", server: "demo", tool: "look" },
      outcome: expect.stringMatching(/^(cancelled|ok)$/),
    });
  });

  it("T7 is a chain that its export proves, page by page, up to a sealed head", async () => {
    for (const method of ["POST", "PUT", "DELETE"])
      await ask(`/v1/hives/default/nowhere/${method}`, { method, identity: { subject: "walker" } });
    await found(({ method }) => method === "DELETE /v1/hives/default/nowhere/DELETE");
    const lines = await exported();
    expect(verify(lines)).toMatchObject({ ok: true, from: 1, isSealed: true });
    expect(verify(lines.slice(1))).toMatchObject({ ok: false, seq: 1 });
    const altered = lines.map((line) => line.replace("walker", "talker"));
    expect(verify(altered)).toMatchObject({ ok: false, reason: "it was altered" });
    const paged: string[] = [];
    for (;;) {
      const page = await exported(`?limit=2&after=${paged.length}`);
      paged.push(...page.slice(0, -1));
      if (page.length === 1) break;
    }
    expect(verify([...paged, lines.at(-1) ?? ""])).toMatchObject({ ok: true });
  });

  it("T7 S8 is for a token with audit:read that shows the whole hive", async () => {
    const without = { permissions: ALL_PERMISSIONS.filter((permission) => permission !== "audit:read") };
    expect((await ask("/v1/hives/default/audit", { identity: without })).status).toBe(403);
    const part = { scope: { swarm_ids: ["one"] } };
    expect((await ask("/v1/hives/default/audit", { identity: part })).status).toBe(403);
    expect((await ask("/v1/hives/default/audit?limit=0")).status).toBe(400);
    expect((await fetch(`${gateway().url}/v1/hives/default/audit`)).status).toBe(401);
  });

  it("T9 keeps figures of tools, for those who may know of them", async () => {
    const stats = await ask("/v1/hives/default/tools/stats");
    expect(stats.status).toBe(200);
    expect(await stats.json()).toEqual({
      ...{ since: expect.any(Number), tools: expect.any(Array), servers: expect.any(Array) },
    });
    expect((await ask("/v1/hives/default/tools/stats", { identity: { permissions: [] } })).status).toBe(403);
    const part = { scope: { swarm_ids: ["one"] } };
    expect((await ask("/v1/hives/default/tools/stats", { identity: part })).status).toBe(403);
  });
});

const LATE = { timeout: 10_000 };
