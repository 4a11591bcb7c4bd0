import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../../sidecar/config.ts";
import { claudeFlow2 } from "../../../sidecar/swarm/profiles/claude-flow-2.ts";
import { PROFILE_NAMES, profileOf } from "../../../sidecar/swarm/profiles/index.ts";

const DEMO_FILE = join(import.meta.dirname, "../../../docs/profiles/demo.json");
const required = { SIDECAR_KEYS: JSON.stringify({ k: Buffer.alloc(32).toString("base64") }) };
const read = (env: Record<string, string>) => readConfig({ ...required, ...env });
const refusal = (env: Record<string, string>): unknown => {
  try {
    return read(env);
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : thrown;
  }
};

describe("SWARM_PROFILE", () => {
  it.each(PROFILE_NAMES)("H8 takes %s, with an MCP server of its kind", (name) => {
    const { profile, mcpServers } = read({ SWARM_PROFILE: name });
    expect(profileOf(profile).name).toBe(name);
    expect(mcpServers).toHaveLength(1);
  });

  it("H8 knows each one's CLI, unless it is told another", () => {
    expect(read({ SWARM_PROFILE: "claude-flow@2" }).cli).toEqual(["claude-flow"]);
    expect(read({ SWARM_PROFILE: "session-script" })).toMatchObject({
      cli: ["/app/scripts/hive-session-manager.sh"],
      mcpServers: [{ profile: "claude-flow@2" }],
    });
    expect(read({ SWARM_PROFILE: "session-script", CLAUDE_FLOW_PATH: "/s.sh" }).cli).toEqual(["/s.sh"]);
    expect(profileOf("claude-flow@2")).toBe(claudeFlow2);
  });

  it("H8 takes a swarm that a file describes", () => {
    const custom = { SWARM_PROFILE: "custom", SWARM_PROFILE_FILE: DEMO_FILE };
    const { profile, cli, mcpServers } = read(custom);
    expect(profileOf(profile).name).toBe("my-demo");
    expect({ cli, mcpServers }).toEqual({ cli: ["hive"], mcpServers: [] });
    expect(read({ ...custom, CLAUDE_FLOW_PATH: "/opt/hive" }).cli).toEqual(["/opt/hive"]);
  });

  it("H8 refuses what does not go together in one line that names it", () => {
    const file = "SWARM_PROFILE_FILE";
    expect(refusal({ SWARM_PROFILE: "other" })).toBe(
      "SWARM_PROFILE: expected one of demo, claude-flow@3, claude-flow@2, session-script, custom",
    );
    expect(refusal({ SWARM_PROFILE: "custom" })).toBe(`${file}: expected a JSON file's path`);
    expect(refusal({ [file]: DEMO_FILE })).toBe(`${file}: expected only with SWARM_PROFILE=custom`);
    expect(refusal({ SWARM_PROFILE: "custom", [file]: "/nowhere.json" })).toBe(
      `${file}: /nowhere.json: cannot be read (ENOENT)`,
    );
    expect(refusal({ SWARM_PROFILE: "custom", [file]: DEMO_FILE, ENABLE_DOCKER_PRIMARY: "false" })).toContain(
      "MCP_SERVERS: expected a server that takes tasks",
    );
  });
});
