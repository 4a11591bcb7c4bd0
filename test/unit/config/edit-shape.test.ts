import { join } from "node:path";
import { expect, it } from "vitest";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { liveConfigs, running, scratch, value } from "./live-configs-parts.ts";

const ADA = { by: "ada", source: "api" } as const;

it.each([
  ["args", "-v", /^one\.args: /],
  ["enabled", false, /^one\.enabled: .*beside "config": enabled$/],
  ["disabled", true, /^one\.disabled: .*beside "config": enabled$/],
  ["agentNames", [], /^one\.agentNames: .*beside "config": agent_names$/],
  ["allowedTools", [], /^one\.allowedTools: .*beside "config": allowed_tools$/],
])("C2 config.%s is refused where it means nothing, of what is not enabled too", async (field, said, why) => {
  const { configs, store, applied } = await liveConfigs({ commands: ["serve"] });
  for (const enabled of [true, false]) {
    const given = { ...value(1, { [field]: said }), enabled };
    await expect(configs.put("one", given, "none", ADA)).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(why),
    });
  }
  expect([store.revision, running(applied)]).toEqual([0, {}]);
});

it("C2 what somebody else stored in another shape is left out, and can be stopped", async () => {
  const directory = scratch();
  const store = new ConfigStore(join(directory, "configs.db"));
  const entry = { ...value(1, { disabled: true }), name: "one" };
  store.write([{ name: "one", entry }], ADA, { nowMs: 1 });
  store.close();
  const { configs, applied } = await liveConfigs({ directory });
  expect(running(applied)).toEqual({});
  expect(configs.status.last_error?.message).toMatch(/^one: .*beside "config"/);
  await configs.put("one", { ...entry, enabled: false }, 1, ADA);
  expect(configs.status.last_error).toBeNull();
});
