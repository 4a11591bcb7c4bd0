import { expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { BatchAnswer } from "../../worker/mcp/batch.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import { onEveryHost } from "./hosts.ts";

const Refusal = z.object({ code: z.string() });
const Line = z.object({ entry: z.object({ method: z.string(), tool: z.string().nullable() }).loose() });
const TOOLS = [aTool({ name: "look", readOnly: true }), aTool({ name: "change" })];

onEveryHost("batches of calls", ({ sidecar, gateway }) => {
  const mcp = new FakeMcpServers();
  const post = async (body: unknown, identity: Partial<Identity> = {}) =>
    fetch(`${gateway().url}/v1/hives/default/tools/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${await gateway().token(identity)}` },
      body: JSON.stringify(body),
    });
  const batch = async (calls: unknown[], identity?: Partial<Identity>) =>
    BatchAnswer.parse(await (await post({ calls }, identity)).json());

  it("T4 answers each call for itself, as far as the token allows, in the calls' order", async () => {
    mcp.offer(sidecar, TOOLS, async ({ name, arguments: { fails } }): Promise<McpAnswer> => {
      if (fails === "error") return { error: { code: -32000, message: "no", data: { of: name } } };
      return {
        result: { content: [], structuredContent: { name }, ...(fails === "tool" && { isError: true }) },
      };
    });
    const calls = [
      { id: "a", tool: "demo__change", arguments: { n: 1 } },
      { id: 2, tool: "demo__change", arguments: { fails: "error" } },
      { id: "c", tool: "demo__look" },
      { id: "d", tool: "demo__change", arguments: { fails: "tool" } },
      { id: "e", tool: "look" },
      { id: "f", tool: "demo__change", arguments: { n: 2 } },
    ];
    const { results, errors, total } = await batch(calls, { permissions: ["tools:call:demo__c*"] });
    expect(results).toMatchObject([
      { id: "a", result: { structuredContent: { name: "change" } } },
      { id: "d", result: { isError: true } },
      { id: "f" },
    ]);
    expect(errors).toMatchObject([
      { id: 2, error: { code: -32000, message: "no", data: { of: "change" } } },
      { id: "c", error: { code: -32602, data: { code: "unknown_tool" } } },
      { id: "e", error: { code: -32602, data: { code: "unknown_tool" } } },
    ]);
    expect(total).toBe(6);
    expect(mcp.calls.map(({ arguments: given }) => given)).toContainEqual({ n: 2 });
    expect(mcp.calls).toHaveLength(4);
  });

  it("T4 T7 T9 has each call remembered as one of its own, and the batch", async () => {
    mcp.offer(sidecar, TOOLS, async () => ({ result: { content: [] } }));
    const identity = { subject: "who-is-remembered" };
    await batch(
      [
        { id: 1, tool: "demo__change", arguments: { password: "secret!" } },
        { id: 2, tool: "demo__nobody" },
      ],
      {
        ...identity,
        permissions: ["tools:call:*__change"],
      },
    );
    const entries = async () => {
      const headers = { authorization: `Bearer ${await gateway().token(identity)}` };
      const log = await fetch(`${gateway().url}/v1/hives/default/audit`, { headers });
      return (await log.text()).split("\n").filter((line) => line.includes(identity.subject));
    };
    await expect.poll(async () => (await entries()).length, { timeout: 5_000 }).toBe(3);
    const told = (await entries()).map((line) => Line.parse(JSON.parse(line)).entry);
    expect(
      told.toSorted((a, b) => `${a.method}${a.tool}`.localeCompare(`${b.method}${b.tool}`)),
    ).toMatchObject([
      { method: "tools/batch", tool: null, outcome: "ok" },
      { method: "tools/call", server: "demo", tool: "change", outcome: "ok" },
      { method: "tools/call", server: "demo", tool: "nobody", outcome: "refused", code: "unknown_tool" },
    ]);
    expect((await entries()).join()).not.toContain("secret!");
  });

  it("T4 makes ten calls at a time", async () => {
    let [underWay, most] = [0, 0];
    const { promise: full, resolve: fill } = Promise.withResolvers<void>();
    mcp.offer(sidecar, TOOLS, async () => {
      most = Math.max(most, ++underWay);
      if (underWay === LIMITS.batchCallsAtOnce) fill();
      await full;
      underWay--;
      return { result: { content: [] } };
    });
    const calls = Array.from({ length: LIMITS.batchCalls }, (_, id) => ({ id, tool: "demo__change" }));
    const { results } = await batch(calls);
    expect(results.map(({ id }) => id)).toEqual(calls.map(({ id }) => id));
    expect(most).toBe(LIMITS.batchCallsAtOnce);
  });

  it("T4 T8 refuses a batch that is none, too long, ambiguous, or not for this token", async () => {
    mcp.offer(sidecar, TOOLS, async () => ({ result: {} }));
    const many = Array.from({ length: LIMITS.batchCalls + 1 }, (_, id) => ({ id, tool: "demo__look" }));
    const cases: [Promise<Response>, number, string][] = [
      [post({ calls: many }), 400, "invalid_request"],
      [post({ calls: [many[0], many[0]] }), 400, "invalid_request"],
      [post([]), 400, "invalid_request"],
      [post({ calls: [] }, { permissions: ["tasks:write"] }), 403, "forbidden"],
      [post({ calls: [] }, { scope: { swarm_ids: ["s"] } }), 403, "forbidden"],
      [post({ calls: [] }, { hives: ["other"] }), 404, "unknown_hive"],
    ];
    for (const [asked, status, code] of cases) {
      const response = await asked;
      expect([response.status, Refusal.parse(await response.json()).code]).toEqual([status, code]);
    }
    expect(mcp.calls).toEqual([]);
  });

  it("T3 T4 answers equal calls of a tool that only reads by one", async () => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    mcp.offer(sidecar, TOOLS, async ({ name }) => {
      if (name === "look") await opened;
      return { result: { content: [], structuredContent: { looked: looked() } } };
    });
    const looked = () => mcp.calls.filter(({ name }) => name === "look").length;
    const look = (id: number) => ({ id, tool: "demo__look", arguments: { at: "here" } });
    const identity = { subject: "who-joins" };
    await batch([{ id: 0, tool: "demo__change" }], identity);
    const both = batch([look(1), look(2), look(3)], identity);
    await expect.poll(() => sidecar.countOf("/v1/mcp/demo")).toBe(4);
    open();
    const { results } = await both;
    expect(results.map(({ result }) => result.structuredContent)).toEqual([
      { looked: 1 },
      { looked: 1 },
      { looked: 1 },
    ]);
    expect((await batch([look(4)], identity)).results).toMatchObject([
      { id: 4, result: { structuredContent: { looked: 1 } } },
    ]);
    expect(looked()).toBe(1);
  });
});
