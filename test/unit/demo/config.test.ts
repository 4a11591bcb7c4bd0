import { describe, expect, it } from "vitest";
import { readConfig, StartError } from "../../../sidecar/demo/config.ts";

describe("the demo swarm's environment", () => {
  it("has a default for everything", () => {
    expect(readConfig({ PATH: "/bin" })).toEqual({
      host: "127.0.0.1",
      mcpPort: 9500,
      wsPort: 3002,
      healthPort: 9501,
      token: null,
      lingerMs: 30_000,
    });
  });

  it("takes what it is given", () => {
    const env = { DEMO_MCP_PORT: "0", DEMO_WS_PORT: "65535", DEMO_TOKEN: "t", DEMO_LINGER_MS: "250" };
    expect(readConfig(env)).toMatchObject({ mcpPort: 0, wsPort: 65_535, token: "t", lingerMs: 250 });
  });

  it.each([
    ["DEMO_MCP_PORT", "65536"],
    ["DEMO_MCP_PORT", ""],
    ["DEMO_WS_PORT", "-1"],
    ["DEMO_HEALTH_PORT", "http"],
    ["DEMO_HEALTH_PORT", " 80"],
    ["DEMO_HOST", ""],
    ["DEMO_TOKEN", ""],
    ["DEMO_LINGER_MS", "1.5"],
  ])("H8 refuses %s=%j with one line that names it", (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(StartError);
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name} .+$`));
  });
});
