import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { McpRequest } from "../../../../shared/protocol/mcp.ts";
import { qualifiedName, splitQualifiedName } from "../../../../shared/protocol/qualified-name.ts";
import { SERVER_META, UNAVAILABLE_META } from "../../../../shared/protocol/tools.ts";
import { JoinedServers } from "../../../../sidecar/mcp/registry/joined-servers.ts";
import type { Exchange, Upstream } from "../../../../sidecar/mcp/upstream.ts";
import { offering } from "./scripted-upstream.ts";
import { registryOf } from "./setup.ts";

const joined = (...upstreams: Upstream[]) => new JoinedServers(registryOf(upstreams).registry, "1.2.3");

const exchange = (): Exchange => ({ client: "c", signal: new AbortController().signal });
const asked = (method: string, params: McpRequest["params"] = {}): McpRequest => ({ method, params });

/** Two servers with something of everything, and one URI that both have. */
function twoServers() {
  const a = offering("a", {
    tools: [{ name: "one", inputSchema: { type: "object" }, _meta: { mine: 1 } }, { name: "__odd" }],
    prompts: [{ name: "hello" }],
    resources: [{ uri: "x:both", name: "A's" }, { uri: "x:a" }],
    resourceTemplates: [{ uriTemplate: "a:{path}/end" }],
  });
  const b = offering("b", {
    tools: [{ name: "one" }],
    resources: [
      { uri: "x:both", name: "B's" },
      { uri: "x:b", _meta: { mine: 1 } },
    ],
    resourceTemplates: [{ uriTemplate: "b:{+path}{?query}" }],
  });
  return { a, b, all: joined(a, b) };
}

describe("all servers as one", () => {
  it("T2 lists tools and prompts under qualified names, else word for word, in the configured order", async () => {
    const { all } = twoServers();
    expect(await all.exchange(asked("tools/list"), exchange())).toEqual({
      result: {
        tools: [
          { name: "a__one", inputSchema: { type: "object" }, _meta: { mine: 1 } },
          { name: "a____odd" },
          { name: "b__one" },
        ],
      },
    });
    const prompts = await all.exchange(asked("prompts/list"), exchange());
    expect(prompts).toEqual({ result: { prompts: [{ name: "a__hello" }] } });
  });

  it("T2 lists resources with their server, an URI of several once, as the first has it", async () => {
    const { all } = twoServers();
    expect(await all.exchange(asked("resources/list"), exchange())).toEqual({
      result: {
        resources: [
          { uri: "x:both", name: "A's", _meta: { [SERVER_META]: "a" } },
          { uri: "x:a", _meta: { [SERVER_META]: "a" } },
          { uri: "x:b", _meta: { mine: 1, [SERVER_META]: "b" } },
        ],
      },
    });
    const templates = await all.exchange(asked("resources/templates/list"), exchange());
    expect(templates).toMatchObject({
      result: { resourceTemplates: [{ uriTemplate: "a:{path}/end" }, { uriTemplate: "b:{+path}{?query}" }] },
    });
  });

  it("T2 leaves out servers that cannot be reached, and says so", async () => {
    const { a, all } = twoServers();
    a.fail();
    expect(await all.exchange(asked("tools/list"), exchange())).toEqual({
      result: { tools: [{ name: "b__one" }], _meta: { [UNAVAILABLE_META]: ["a"] } },
    });
    a.isDown = false;
    const answer = await all.exchange(asked("tools/list"), exchange());
    expect(answer).toMatchObject({ result: { tools: { length: 3 } } });
    expect(answer).not.toHaveProperty("result._meta");
  });

  it("T2 brings a request to its one server, by the name that it has there, and nothing else of it changed", async () => {
    const { a, b, all } = twoServers();
    const cases: [McpRequest, Upstream | null, McpRequest?][] = [
      [asked("tools/call", { name: "a__one", arguments: { name: "b__one" }, _meta: { x: 1 } }), a],
      [asked("tools/call", { name: "a____odd" }), a, asked("tools/call", { name: "__odd" })],
      [asked("tools/call", { name: "b__not listed" }), b, asked("tools/call", { name: "not listed" })],
      [asked("prompts/get", { name: "a__hello" }), a, asked("prompts/get", { name: "hello" })],
      [asked("resources/read", { uri: "x:both" }), a],
      [asked("resources/read", { uri: "x:b" }), b],
      [asked("resources/subscribe", { uri: "a:some/where/end" }), a],
      [asked("resources/unsubscribe", { uri: "b:any?q=1" }), b],
      [asked("completion/complete", { ref: { type: "ref/resource", uri: "b:{+path}{?query}" } }), b],
      [
        asked("completion/complete", {
          ref: { type: "ref/prompt", name: "a__hello", title: "t" },
          argument: {},
        }),
        a,
        asked("completion/complete", {
          ref: { type: "ref/prompt", name: "hello", title: "t" },
          argument: {},
        }),
      ],
      [asked("tools/call", { name: "c__one" }), null],
      [asked("tools/call", { name: "one" }), null],
      [asked("tools/call", { name: "a__" }), null],
      [asked("tools/call", { name: 7 }), null],
      [asked("resources/read", { uri: "x:unknown" }), null],
      [asked("completion/complete", { ref: "a" }), null],
      [asked("tools/list"), null],
    ];
    for (const [request, upstream, renamed = request] of cases) {
      const route = await all.route(request);
      expect(route?.upstream ?? null, request.method).toBe(upstream);
      if (route && request.params.arguments === undefined) expect(route.request).toEqual(renamed);
    }
    expect((await all.route(cases[0]?.[0] ?? expect.fail()))?.request).toEqual(
      asked("tools/call", { name: "one", arguments: { name: "b__one" }, _meta: { x: 1 } }),
    );
  });

  it("T2 asks the only server with resources for those that it does not list", async () => {
    const a = offering("a", { resources: [{ uri: "x:a" }] });
    const route = await joined(a, offering("b", {})).route(asked("resources/read", { uri: "y:linked" }));
    expect(route?.upstream).toBe(a);
  });

  it("T2 T8 refuses what no server has in the words of the protocol", async () => {
    const { all } = twoServers();
    const refused: [string, McpRequest["params"], number][] = [
      ["tools/call", { name: "c__one" }, -32602],
      ["prompts/get", { name: "hello" }, -32602],
      ["completion/complete", { ref: { type: "ref/prompt", name: "x" } }, -32602],
      ["resources/read", { uri: "nowhere:" }, -32002],
      ["tools/list", { cursor: "x" }, -32602],
      ["tasks/get", { taskId: "x" }, -32601],
    ];
    for (const [method, params, code] of refused) {
      const answer = await all.exchange(asked(method, params), exchange());
      expect(answer).toMatchObject({ error: { code } });
    }
    const tool = await all.exchange(asked("tools/call", { name: "c__one" }), exchange());
    expect(tool).toMatchObject({ error: { message: "Unknown tool: c__one" } });
  });

  it("T2 passes calls, answers, and what is said meanwhile through", async () => {
    const { b, all } = twoServers();
    const heard = vi.fn();
    const { script } = b;
    b.script = (request, given) => {
      given.onNotification?.({ method: "notifications/progress", params: { progressToken: "t" } });
      return script(request, given);
    };
    const call = asked("tools/call", { name: "b__one", arguments: { x: 1 } });
    const answer = await all.exchange(call, { ...exchange(), onNotification: heard });
    expect(answer).toEqual({
      result: { by: "b", method: "tools/call", params: { name: "one", arguments: { x: 1 } } },
    });
    expect(heard).toHaveBeenCalledExactlyOnceWith({
      method: "notifications/progress",
      params: { progressToken: "t" },
    });
  });

  it("T2 S8 says of itself what any server may bring, and nothing that a server says of itself", async () => {
    const { a, all } = twoServers();
    a.instructions = "Ask me twice.";
    await all.exchange(asked("tools/list"), exchange());
    const { capabilities, instructions, era, serverInfo } = await all.info();
    expect({ era, serverInfo }).toMatchObject({ era: "2025", serverInfo: { version: "1.2.3" } });
    expect(Object.keys(capabilities)).toEqual(["tools", "prompts", "resources", "completions", "logging"]);
    expect(instructions).not.toContain("Ask me twice.");
  });

  it("T2 tells of its servers' changes, and once of a server that went or came back", async () => {
    const { a, b, all } = twoServers();
    const list = () => all.exchange(asked("tools/list"), exchange());
    await list();
    const heard = vi.fn();
    const stop = all.onNotification(({ method }) => heard(method));
    b.say("notifications/tools/list_changed");
    b.say("notifications/resources/updated", { uri: "x:b" });
    b.say("notifications/message", { data: "for those alone who may use b" });
    await list();
    expect(heard.mock.calls).toEqual([
      ["notifications/tools/list_changed"],
      ["notifications/resources/updated"],
    ]);
    heard.mockClear();
    a.fail();
    await list();
    await list();
    const each = ["tools", "prompts", "resources"].map((name) => [`notifications/${name}/list_changed`]);
    expect(heard.mock.calls).toEqual(each);
    a.isDown = false;
    await list();
    expect(heard.mock.calls).toEqual([...each, ...each]);
    stop();
    a.say("notifications/tools/list_changed");
    expect(heard).toHaveBeenCalledTimes(6);
  });

  it("T2 tells which servers have a log level, and notices to all", async () => {
    const { a, b, all } = twoServers();
    b.capabilities = { tools: {}, logging: {} };
    expect(all.logging()).toEqual([]);
    await all.exchange(asked("tools/list"), exchange());
    expect(all.logging()).toEqual([b]);
    const notice = { method: "notifications/roots/list_changed", params: {} };
    all.notify(notice);
    expect([a.notified, b.notified]).toEqual([[notice], [notice]]);
  });

  it("T2 takes every qualified name apart as it was made", () => {
    const server = fc
      .stringMatching(/^[a-z0-9][a-z0-9_-]{0,10}$/)
      .filter((name) => !name.includes("__") && !name.endsWith("_"));
    const tool = fc.oneof(fc.string({ minLength: 1 }), fc.stringMatching(/^[_a-z]{1,6}$/));
    fc.assert(
      fc.property(server, tool, (server, name) => {
        expect(splitQualifiedName(qualifiedName(server, name))).toEqual({ server, name });
      }),
    );
  });
});
