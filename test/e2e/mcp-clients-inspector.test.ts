/** A client and a server that others wrote: the MCP Inspector's command line, and `server-everything`. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type Demo, startDemo } from "../support/demo.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { inspector } from "../support/inspector.ts";
import { fetchedPackage } from "../support/installed-package.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";

const SERVER = "@modelcontextprotocol/server-everything";
const VERSION = "2026.8.31";
const Tools = z.object({ tools: z.array(z.looseObject({ name: z.string() })) });
const namesOf = (listed: unknown) => Tools.parse(listed).tools.map(({ name }) => name);

const inspect = await inspector();
const modules = await fetchedPackage(SERVER, VERSION);
const everything = [process.execPath, join(modules ?? "", SERVER, "dist/index.js"), "stdio"];
const [command, ...args] = everything;

const LIST = ["--method", "tools/list"];
const call = (tool: string, json: string) => [
  ...["--method", "tools/call"],
  ...["--tool-name", tool, "--tool-args-json", json],
];

describe.skipIf(inspect === null || modules === null)("the MCP Inspector", () => {
  let demo: Demo;
  let mcp: McpSidecar;
  let gateway: RunningGateway;
  beforeAll(async () => {
    demo = await startDemo();
    mcp = await startMcpSidecar([
      { name: "demo", host: "127.0.0.1", port: demo.mcpPort },
      { name: "everything", type: "stdio", command, args },
    ]);
    gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
  });
  afterAll(async () => {
    await gateway?.kill("SIGKILL");
    await mcp?.stop();
    await demo?.stop();
  });

  const look = async (path: string, asked: string[], era: "legacy" | "modern" | "auto") =>
    inspect?.({ target: [`${gateway.url}${path}`], args: asked, era, token: await gateway.token() });

  it("T1 sees through the gateway what it sees without it", async () => {
    const SAME = [
      ["--method", "resources/list"],
      ["--method", "prompts/list"],
      call("get-sum", '{"a":2,"b":3}'),
      call("get-tiny-image", "{}"),
      call("get-structured-content", '{"location":"New York"}'),
    ];
    for (const asked of SAME) {
      const [alone, behind] = await Promise.all([
        inspect?.({ target: everything, args: asked, era: "legacy" }),
        look("/mcp/everything", asked, "legacy"),
      ]);
      expect(behind).toEqual(alone);
    }
    // This server offers more tools to a client that can be asked more, as the gateway can for others.
    const alone = Tools.parse(await inspect?.({ target: everything, args: LIST, era: "legacy" }));
    const behind = Tools.parse(await look("/mcp/everything", LIST, "legacy"));
    expect(behind.tools).toEqual(expect.arrayContaining(alone.tools));
  });

  it.each(["legacy", "modern", "auto"] as const)(
    "T1 calls all servers' tools in one place, %s",
    async (era) => {
      const names = namesOf(await look("/mcp", LIST, era));
      expect(names).toEqual(expect.arrayContaining(["demo__agent_list", "everything__echo"]));
      const echoed = await look("/mcp", call("everything__echo", '{"message":"hello"}'), era);
      expect(JSON.stringify(echoed)).toContain("hello");
      const agents = await look("/mcp", call("demo__agent_list", "{}"), era);
      expect(JSON.stringify(agents)).toContain("agents");
    },
  );

  it.each(["modern", "auto"] as const)("T1 speaks %s to servers of 2025", async (era) => {
    for (const server of ["everything", "demo"]) {
      const legacy = namesOf(await look(`/mcp/${server}`, LIST, "legacy"));
      expect(namesOf(await look(`/mcp/${server}`, LIST, era))).toEqual(legacy);
    }
  });

  it("T1 finds no server that is not there", async () => {
    await expect(look("/mcp/nobody", LIST, "legacy")).rejects.toThrow();
  });
});
