import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import { type HandshakeOptions, shakeHands } from "../../../sidecar/mcp/handshake.ts";
import { LostConnection } from "../../../sidecar/mcp/lost-connection.ts";

type Server = Record<string, McpAnswer | Error>;

/** Greets a server that answers as said; what it was asked is in `asked`. */
function greet(server: Server, options: Partial<HandshakeOptions> = {}) {
  const asked: McpRequest[] = [];
  const ask = async (request: McpRequest): Promise<McpAnswer> => {
    asked.push(request);
    const answer = server[request.method] ?? { error: { code: -32601, message: "unknown" } };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const info = shakeHands({ token: null, first: "2026", timeoutMs: 1_000, probeMs: 100, ask, ...options });
  return { info, asked: () => asked.map(({ method }) => method) };
}

const old: Server = {
  initialize: {
    result: {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {} },
      serverInfo: { name: "old", version: "1" },
      instructions: "Mind the gap.",
    },
  },
};
const discovered = { supportedVersions: ["2026-07-28"], capabilities: { tools: { listChanged: true } } };
const modern: Server = {
  "server/discover": {
    result: {
      ...discovered,
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "new", version: "2" } },
    },
  },
};

describe("how a server is greeted", () => {
  it.each(["2025", "2026"] as const)(
    "T1 a server of either era is known for what it is, greeted in %s first",
    async (first) => {
      expect(await greet(old, { first }).info).toEqual({
        era: "2025",
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "old", version: "1" },
        instructions: "Mind the gap.",
      });
      expect(await greet(modern, { first }).info).toEqual({
        era: "2026",
        protocolVersion: "2026-07-28",
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: "new", version: "2" },
        instructions: null,
      });
    },
  );

  it("T1 a server that speaks both is taken at the first words", async () => {
    const both = { ...old, ...modern };
    const newest = greet(both);
    expect([(await newest.info).era, newest.asked()]).toEqual(["2026", ["server/discover"]]);
    const oldest = greet(both, { first: "2025" });
    expect([(await oldest.info).era, oldest.asked()]).toEqual(["2025", ["initialize"]]);
  });

  it.each<[string, McpAnswer | Error]>([
    ["says nothing", new HivegateError("timeout")],
    ["answers what cannot be read", new HivegateError("mcp_failed")],
    ["breaks down", new HivegateError("mcp_unavailable")],
    ["answers something else", { result: { success: true } }],
    ["knows other versions only", { result: { ...discovered, supportedVersions: ["2031-01-01"] } }],
  ])(
    "T1 one that %s when it is asked in the words of 2026 is asked in those of 2025",
    async (_what, answer) => {
      expect((await greet({ ...old, "server/discover": answer }).info).era).toBe("2025");
    },
  );

  it("T1 one that hangs up is not asked again on a connection that is gone", async () => {
    const lost = new LostConnection(null);
    const { info, asked } = greet({ ...old, "server/discover": lost });
    await expect(info).rejects.toBe(lost);
    expect(asked()).toEqual(["server/discover"]);
  });

  it("S8 the token goes before all else, and one that is refused ends it", async () => {
    const ok = greet({ ...old, authenticate: { result: {} } }, { token: "t" });
    await ok.info;
    expect(ok.asked()).toEqual(["authenticate", "server/discover", "initialize"]);
    const refused = greet(old, { token: "t" });
    await expect(refused.info).rejects.toMatchObject({ code: "mcp_failed" });
    expect(refused.asked()).toEqual(["authenticate"]);
  });

  it("H6 a server that says nothing of itself is no worse for it", async () => {
    expect(await greet({ initialize: { result: {} } }).info).toEqual({
      era: "2025",
      protocolVersion: "2025-11-25",
      capabilities: {},
      serverInfo: null,
      instructions: null,
    });
  });
});
