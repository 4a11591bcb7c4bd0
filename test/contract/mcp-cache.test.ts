import { expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import { onEveryHost } from "./hosts.ts";

const Answer = z.object({
  id: z.unknown(),
  result: z.object({ structuredContent: z.object({ nth: z.number() }) }),
});
const Report = z.object({
  tools: z.array(
    z.object({ tool: z.string(), hits: z.number(), misses: z.number(), kept: z.number() }).loose(),
  ),
});
const TOOLS = [aTool({ name: "look", readOnly: true }), aTool({ name: "change", readOnly: false })];
const REVISION = "2025-11-25";

onEveryHost("the cache of answers", ({ sidecar, gateway }) => {
  const mcp = new FakeMcpServers();
  let asked = 0;

  const post = async (call: {
    tool?: string;
    given?: object;
    identity?: Partial<Identity>;
    headers?: Record<string, string>;
  }) => {
    const { tool = "look", given = {}, identity = {}, headers = {} } = call;
    const [id, params] = [++asked, { name: tool, arguments: given }];
    const response = await fetch(`${gateway().url}/mcp/demo`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await gateway().token({ subject: "anna", ...identity })}`,
        ...{ accept: "application/json, text/event-stream", "content-type": "application/json" },
        ...{ "mcp-protocol-version": REVISION, ...headers },
      },
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params }),
    });
    const answer = Answer.parse(await response.json());
    expect(answer.id).toBe(id);
    const { nth } = answer.result.structuredContent;
    return { nth, cache: response.headers.get("hivegate-cache"), age: response.headers.get("age") };
  };

  /** Its server says how often it was asked. The gateway hears of the new tools before the test begins. */
  const offer = async (answer = async (nth: number) => ({ structuredContent: { nth } })) => {
    let calls = 0;
    mcp.offer(sidecar, TOOLS, async ({ name }) => ({
      result: { content: [], ...(await answer(name === "look" ? ++calls : 0)) },
    }));
    await post({ tool: "change" });
  };

  it("T3 T10 answers an equal call from what is kept, with the asker's id, and says how old it is", async () => {
    await offer();
    expect(await post({ given: { a: 1, b: [2] } })).toEqual({ nth: 1, cache: "miss", age: null });
    const again = await post({ given: { b: [2], a: 1 } });
    expect(again).toEqual({
      nth: 1,
      cache: expect.stringMatching(/^hit; age=\d+$/),
      age: expect.any(String),
    });
    expect((await post({ given: { a: 1, b: [3] } })).cache).toBe("miss");
    expect((await post({ given: { a: 1, b: [2] }, headers: { "cache-control": "no-cache" } })).nth).toBe(3);
    expect((await post({ given: { a: 1, b: [2] } })).nth).toBe(3);
    expect((await post({ tool: "change" })).cache).toBeNull();
  });

  it("T3 S8 never gives one client's answer to another", async () => {
    await offer();
    expect((await post({})).nth).toBe(1);
    const others: Partial<Identity>[] = [
      { subject: "ben" },
      { permissions: ["tools:call:demo__*"] },
      { role: "viewer" },
    ];
    for (const [index, identity] of others.entries())
      expect(await post({ identity })).toMatchObject({ nth: index + 2, cache: "miss" });
    expect((await post({})).nth).toBe(1);
  });

  it("T3 keeps no failure", async () => {
    await offer(async (nth) => ({ structuredContent: { nth }, isError: true }));
    expect([(await post({})).nth, (await post({})).nth]).toEqual([1, 2]);
  });

  it("T3 asks the server once for equal calls under way at the same time", async () => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    await offer(async (nth) => {
      if (nth > 0) await opened;
      return { structuredContent: { nth } };
    });
    const before = sidecar.countOf("/v1/mcp/demo");
    const calls = [post({ given: { slow: true } }), post({ given: { slow: true } })];
    await expect.poll(() => sidecar.countOf("/v1/mcp/demo") - before).toBe(2);
    open();
    const answers = await Promise.all(calls);
    expect(answers.map(({ nth }) => nth)).toEqual([1, 1]);
    expect(answers.map(({ cache }) => cache).toSorted()).toEqual(["joined", "miss"]);
  });

  it("T3 drops what is kept when the tools change, though nothing but hits is asked for", async () => {
    await offer();
    await post({});
    expect((await post({})).nth).toBe(1);
    mcp.change(TOOLS);
    const changedMs = Date.now();
    await expect.poll(async () => (await post({})).nth, { interval: 50, timeout: 5_000 }).toBe(2);
    expect(Date.now() - changedMs).toBeLessThan(LIMITS.registryTrustedMs + 500);
  });

  it("T3 tells of each tool what the cache did, to those who may call it", async () => {
    await offer();
    for (let times = 0; times < 3; times++) await post({ given: { told: true } });
    const report = async (identity: Partial<Identity>) => {
      const headers = { authorization: `Bearer ${await gateway().token(identity)}` };
      const response = await fetch(`${gateway().url}/v1/hives/default/tools/cache`, { headers });
      return Report.parse(await response.json()).tools;
    };
    const [look] = await report({ permissions: ["tools:call:demo__look"] });
    expect(look).toMatchObject({ tool: "demo__look", oldest_ms: expect.any(Number) });
    expect(look?.hits).toBeGreaterThanOrEqual(2);
    expect(look?.kept).toBeGreaterThanOrEqual(1);
    expect(await report({ permissions: ["tools:call:other__*"] })).toEqual([]);
  });
});
