import { expect, it } from "vitest";
import { z } from "zod";
import type { NamedPermission } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import { onEveryHost } from "./hosts.ts";

const API = "/api/v1/mcp";
const KEY = "a-key-of-more-than-thirty-two-characters";
const READER = "another-key-that-may-look-and-nothing-more";
const API_KEYS = JSON.stringify({
  agents: KEY,
  reader: { key: READER, permissions: ["config:read"] },
  elsewhere: { key: "a-key-for-a-hive-that-is-not-this-one", hives: ["other"] },
});
const ITEM = { name: "files", revision: 7, config: { command: "x" }, agent_names: [], allowed_tools: ["*"] };
const Refusal = z.object({ code: z.string() });
const Asked = z.object({ by: z.string(), client: z.string().regex(/^[0-9a-f]{32}$/) });

onEveryHost(
  "the configuration of MCP servers",
  ({ sidecar, gateway }) => {
    const send = async (
      method: string,
      path: string,
      { token, key, headers, body }: SendOptions = {},
    ): Promise<Response> => {
      const who: Record<string, string> =
        key === undefined
          ? { authorization: `Bearer ${token ?? (await gateway().token({ subject: "admin@example.com" }))}` }
          : { "x-api-key": key };
      return fetch(`${gateway().url}${API}${path}`, {
        method,
        headers: { ...who, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    };
    const codeOf = async (response: Response) => [response.status, Refusal.parse(await response.json()).code];
    const detailOf = async (response: Response) => [response.status, await response.json()];

    it("C2 passes on the question, its conditions and who asks; and the answer with its version", async () => {
      const heard: { query: Record<string, string>; ifMatch: string | undefined; body: unknown }[] = [];
      sidecar.handle(`PUT ${API}/configs/files`, (c, body) => {
        heard.push({ query: c.req.query(), ifMatch: c.req.header("if-match"), body });
        return c.json(ITEM, 201, { etag: '"7"' });
      });
      const body = { config: { command: "x", env: { TOKEN: "very secret" } } };
      const response = await send("PUT", "/configs/files?hive=default&by=somebody-else&client=x&dry=1", {
        ...{ body, headers: { "if-match": '"6"' } },
      });
      expect([response.status, response.headers.get("etag"), await response.json()]).toEqual([
        201,
        '"7"',
        ITEM,
      ]);
      expect(heard).toMatchObject([{ ifMatch: '"6"', body, query: { by: "admin@example.com", dry: "1" } }]);
      expect(Asked.safeParse(heard[0]?.query).success).toBe(true);
      expect(heard[0]?.query.hive).toBeUndefined();
    });

    it("C2 S8 leads nowhere else than it was allowed for, whatever a name holds", async () => {
      const names = [
        "a\\b",
        "..\\..\\..\\v1\\tasks",
        "a/../../b",
        "a?x=1#y",
        "100%",
        "%2e%2e",
        "ä ö",
        "a%5Cb",
      ];
      for (const name of names) {
        const response = await send("GET", `/configs/${encodeURIComponent(name)}`);
        expect(response.status).toBe(404);
      }
      const place = `${API}/configs/`;
      const asked = sidecar.asked.map(({ path }) => path);
      expect(asked.every((path) => path.startsWith(place))).toBe(true);
      expect(asked.map((path) => decodeURIComponent(path.slice(place.length)))).toEqual(names);
      expect(asked.filter((path) => path.slice(place.length).includes("/"))).toEqual([]);
    });

    it("C2 gives back what has no body as it is: 304 for a version that is known, 204 for one removed", async () => {
      sidecar.handle(`GET ${API}/configs/files`, (c) =>
        c.req.header("if-none-match") === '"7"' ? c.body(null, 304, { etag: '"7"' }) : c.json(ITEM),
      );
      sidecar.handle(`DELETE ${API}/configs/files`, (c) => c.body(null, 204));
      const known = await send("GET", "/configs/files", { headers: { "if-none-match": '"7"' } });
      expect([known.status, known.headers.get("etag"), await known.text()]).toEqual([304, '"7"', ""]);
      expect((await send("GET", "/configs/files")).status).toBe(200);
      const removed = await send("DELETE", "/configs/files", { headers: { "if-match": '"7"' } });
      expect([removed.status, await removed.text()]).toEqual([204, ""]);
    });

    it("C2 T8 gives the sidecar's refusals with their codes, and says itself what it does not answer", async () => {
      const refusals: [string, number][] = [
        ["precondition_required", 428],
        ["precondition_failed", 412],
        ["unknown_config", 404],
        ["config_invalid", 422],
      ];
      for (const [code, status] of refusals) {
        sidecar.answer(`PUT ${API}/configs/files`, { code, message: "no", retryable: false }, status);
        expect(await codeOf(await send("PUT", "/configs/files", { body: {} }))).toEqual([status, code]);
      }
      sidecar.answer(`POST ${API}/reload`, { code: "overloaded", message: "x", retry_after: 2 }, 503);
      const busy = await send("POST", "/reload");
      expect([busy.status, busy.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(await codeOf(await send("GET", "/nowhere"))).toEqual([404, "not_found"]);
      expect(await codeOf(await send("GET", "/status?hive=nowhere"))).toEqual([404, "unknown_hive"]);
      const large = { config: { command: "x".repeat(LIMITS.requestBodyBytes) } };
      expect(await codeOf(await send("PUT", "/configs/files", { body: large }))).toEqual([
        413,
        "body_too_large",
      ]);
      await sidecar.stop();
      expect(await codeOf(await send("GET", "/status"))).toEqual([502, "sidecar_unreachable"]);
      await sidecar.start();
    });

    it("C2 S8 lets those look and change who may, and nobody who sees a part of the hive", async () => {
      const token = (permissions: NamedPermission[], scope = {}) => gateway().token({ permissions, scope });
      const look = await token(["config:read"]);
      const change = await token(["config:write"]);
      sidecar.answer(`GET ${API}/status`, {});
      sidecar.answer(`POST ${API}/reload`, {});
      const statuses = async (token: string) => [
        (await send("GET", "/status", { token })).status,
        (await send("POST", "/reload", { token })).status,
      ];
      expect(await statuses(look)).toEqual([200, 403]);
      expect(await statuses(change)).toEqual([403, 200]);
      expect(await statuses(await token(["telemetry:read", "tools:call"]))).toEqual([403, 403]);
      const part = await token(["config:read", "config:write"], { server_types: ["demo"] });
      expect(await statuses(part)).toEqual([403, 403]);
      expect(sidecar.asked.length).toBe(2);
      const nobody = await fetch(`${gateway().url}${API}/status`);
      expect(await codeOf(nobody)).toEqual([401, "unauthorized"]);
    });

    it("C2 opens this and nothing else to API keys, each for what it may", async () => {
      sidecar.handle(`GET ${API}/status`, (c) => c.json(c.req.query()));
      sidecar.answer(`POST ${API}/reload`, {});
      expect(await (await send("GET", "/status", { key: KEY })).json()).toMatchObject({ by: "key:agents" });
      expect((await send("POST", "/reload", { key: KEY })).status).toBe(200);
      expect(await codeOf(await send("POST", "/reload", { key: READER }))).toEqual([403, "forbidden"]);
      expect(await codeOf(await send("GET", "/status", { key: "wrong" }))).toEqual([401, "unauthorized"]);
      const elsewhere = "a-key-for-a-hive-that-is-not-this-one";
      expect(await codeOf(await send("GET", "/status", { key: elsewhere }))).toEqual([404, "unknown_hive"]);
      expect(await codeOf(await send("GET", `/status?x-api-key=${KEY}`, { key: "wrong" }))).toEqual([
        ...[401, "unauthorized"],
      ]);
      const tasks = await fetch(`${gateway().url}/v1/hives/default/tasks`, { headers: { "x-api-key": KEY } });
      expect(await codeOf(tasks)).toEqual([401, "unauthorized"]);
    });

    it("C2 remembers who changed what, and never the value", async () => {
      sidecar.answer(`PUT ${API}/configs/audited`, ITEM);
      sidecar.answer(`POST ${API}/servers`, { detail: "Server audited exists" }, 400);
      await send("PUT", "/configs/audited", { body: { config: { env: { TOKEN: "very secret" } } } });
      await send("POST", "/servers", { key: KEY, body: {} });
      await send("GET", "/servers", { key: "wrong" });
      const audit = async () =>
        (
          await fetch(`${gateway().url}/v1/hives/default/audit`, {
            headers: { authorization: `Bearer ${await gateway().token({})}` },
          })
        ).text();
      const wanted = [
        { client: "admin@example.com", method: `PUT ${API}/configs/audited`, outcome: "ok" },
        { client: "key:agents", method: `POST ${API}/servers`, outcome: "refused" },
        { client: null, method: `GET ${API}/servers`, outcome: "refused", code: "unauthorized" },
      ];
      const entries = async () =>
        (await audit()).split("\n").flatMap((line) => (line ? [JSON.parse(line)] : []));
      await expect
        .poll(async () => entries(), { timeout: 5_000 })
        .toEqual(
          expect.arrayContaining(
            wanted.map((entry) => expect.objectContaining({ entry: expect.objectContaining(entry) })),
          ),
        );
      expect(await audit()).not.toContain("very secret");
    });

    it("C2 refuses at the older endpoints as the older system did", async () => {
      const missing = await fetch(`${gateway().url}${API}/servers`);
      expect(await detailOf(missing)).toEqual([
        401,
        { detail: "x-api-key is missing in headers or query parameters" },
      ]);
      expect(await detailOf(await send("GET", "/servers", { key: "wrong" }))).toEqual([
        401,
        { detail: "Invalid API Key" },
      ]);
      expect(await detailOf(await send("POST", "/servers", { key: READER, body: {} }))).toMatchObject([
        403,
        { detail: expect.stringContaining("config:write") },
      ]);
      sidecar.handle(`GET ${API}/servers`, (c) => c.json({ servers: [], total: 0, asked: c.req.query() }));
      const inAddress = await fetch(`${gateway().url}${API}/servers?x-api-key=${KEY}`);
      const answer: unknown = await inAddress.json();
      expect(answer).toMatchObject({ servers: [], total: 0, asked: { by: "key:agents" } });
      expect(JSON.stringify(answer)).not.toContain(KEY);
      sidecar.answer(`GET ${API}/servers/none`, { detail: "Server none not found" }, 404);
      expect(await detailOf(await send("GET", "/servers/none", { key: KEY }))).toEqual([
        404,
        { detail: "Server none not found" },
      ]);
      sidecar.answer(`POST ${API}/configure`, { code: "config_invalid", message: "no" }, 422);
      expect(await detailOf(await send("POST", "/configure", { key: KEY, body: {} }))).toEqual([
        422,
        { detail: "no" },
      ]);
    });

    it("C2 tells anybody how the servers are in figures alone, and asks seldom", async () => {
      const figures = {
        ...{ status: "healthy", servers_total: 2, servers_running: 1, servers_error: 0 },
        ...{ tools_available: 5, resources_available: null, timestamp: "2026-11-22T00:00:00Z" },
      };
      sidecar.answer(`GET ${API}/health`, { ...figures, servers: ["a-name"] });
      const ask = () => fetch(`${gateway().url}${API}/health`);
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      const good = answers.filter(({ status }) => status === 200);
      expect(good.length).toBeGreaterThan(0);
      for (const response of good) expect(await response.json()).toEqual(figures);
      expect(sidecar.countOf(`${API}/health`)).toBeLessThanOrEqual(LIMITS.healthQuestions);
    });
  },
  { env: { API_KEYS } },
);

type SendOptions = { token?: string; key?: string; headers?: Record<string, string>; body?: unknown };
