// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written in these files
import { describe, expect, it } from "vitest";
import { config } from "../../../sidecar/cli/commands/config.ts";
import { run } from "./fakes.ts";

const check = (text: string, env: Record<string, string> = {}) =>
  run({ config }, ["config", "check", "my.json"], { files: { "my.json": text }, env });

describe("hivegate config check", () => {
  it("C1 tells what a file holds", async () => {
    const text = '{"mcpServers":{"a":{"command":"x"},"B":{"url":"ws://h","disabled":true}}}';
    expect(await check(text)).toEqual({ code: 0, out: "a  stdio\nB  ws     disabled\n", err: "" });
    expect(await check('{"mcpServers":{}}')).toEqual({ code: 0, out: "No servers.\n", err: "" });
  });

  it("C1 exits 1 and tells where a file is wrong, as editors and CI understand it", async () => {
    const { code, out, err } = await check('{"mcpServers":{\n  "a":{"command":5}}}');
    expect([code, out, err]).toEqual([1, "", "my.json:2:18: expected text in double quotes\n"]);
  });

  it("C1 finds what shows only when variables are replaced, and warns of those that are not set here", async () => {
    const text =
      '{"mcpServers":{"a":{"url":"${URL}","autoApprove":[]},\n"b":{"command":"${NONE}"},\n"c":{"disabled":true,"command":"${NONE}"}}}';
    const { code, out, err } = await check(text, { URL: "ftp://secret" });
    expect(code).toBe(1);
    expect(err).toBe("my.json:1:27: expected an http:// or https:// address\n");
    expect(out.split("\n")).toEqual([
      "my.json:1:36: warning: ignored: whether a tool may be called is a matter of permissions",
      "my.json:2:16: warning: the variable NONE is not set, and there is no default",
      "",
    ]);
    expect(await check(text, { URL: "https://h" })).toMatchObject({ code: 0, err: "" });
  });

  it("C1 finds servers that cannot be there together", async () => {
    const server = '{"host":"h","port":1,"pool":"p"';
    const { code, err } = await check(`{"mcpServers":{"a":${server}},\n"b":${server},"profile":"demo"}}}`);
    expect([code, err]).toEqual([1, "my.json:2:33: the MCP servers of a pool need the same profile\n"]);
  });

  it.each([
    [["config", "check", "other.json"], "other.json cannot be read"],
    [["config", "show", "my.json"], 'there is no "config show"'],
    [["config", "check"], "Usage: hivegate config check FILE"],
  ])("U3 exits 2 for %j", async (argv, message) => {
    const ran = await run({ config }, argv);
    expect(ran).toMatchObject({ code: 2, out: "", err: expect.stringContaining(message) });
  });
});
