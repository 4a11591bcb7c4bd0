import { expect, it } from "vitest";
import { OlderServers } from "../../../sidecar/config/older-api/older-servers.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { FakeFile, liveConfigs, scratch, serve, value } from "./live-configs-parts.ts";

const ADA = { by: "ada", source: "api" } as const;
const OLD = { author: { by: "key:old", source: "old" } as const, client: "" };

async function olderServers(given: Parameters<typeof liveConfigs>[0]) {
  const live = await liveConfigs(given);
  const servers = {
    get: () => null,
    restart: () => {
      throw new Error("there is none");
    },
  };
  const { log } = recordingLog();
  const older = new OlderServers({ configs: live.configs, servers, registered: () => null, log });
  return { ...live, older };
}

it("C2 the older endpoints undo nothing that others change at the same moment", async () => {
  const file = new FakeFile();
  file.edit({ one: serve(1) });
  const { configs, older } = await olderServers({ file, commands: ["serve"] });
  const [put] = await Promise.all([
    configs.put("one", { ...value(2), allowed_tools: ["read_*"] }, 1, ADA),
    older.change(OLD, "one", (now) => ({ ...now, agent_names: [...now.agent_names, "x"] })),
  ]);
  expect(put.revision).toBe(2);
  expect(await configs.get("", "one")).toMatchObject({
    ...value(2),
    ...{ allowed_tools: ["read_*"], agent_names: ["x"] },
  });
  await Promise.all([
    configs.put("one", { ...value(2), allowed_tools: ["write_*"] }, 3, ADA),
    older.configure(OLD, new Map([["one", value(7)]])),
  ]);
  expect(await configs.get("", "one")).toMatchObject({ ...value(7), allowed_tools: ["write_*"] });
  file.edit({ one: serve(9) });
  await older.change(OLD, "one", (now) => ({ ...now, enabled: false }));
  expect(await configs.get("", "one")).toMatchObject({ ...value(9), enabled: false });
});

it.each(["start", "restart"] as const)("C2 %s says why a server is left out", async (how) => {
  const directory = scratch();
  const first = await liveConfigs({ directory, commands: ["serve"] });
  await first.configs.put("one", value(1), "none", ADA);
  await first.stop();
  const { older } = await olderServers({ directory });
  await expect(older.start(OLD, "one", how)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringMatching(`^Failed to ${how} server one: .*MCP_API_COMMANDS`),
  });
});
