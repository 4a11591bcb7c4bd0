import { expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { liveConfigs, running, value } from "./live-configs-parts.ts";

const ADA = { by: "ada", source: "api" } as const;

it("C3 what another program writes and leaves at its revision is taken over and told of, and nothing else is", async () => {
  const { configs, store, clock, applied, heard } = await liveConfigs({ commands: ["serve"] });
  await configs.put("one", value(1), "none", ADA);
  await configs.put("two", value(1), "none", ADA);
  const [, untouched] = store.list();
  const other = new ConfigStore(store.file);
  other.db.exec("UPDATE mcp_configs SET enabled = 0 WHERE name = 'one'");
  expect((await configs.list("")).configs).toMatchObject([{ name: "one", enabled: false }, { name: "two" }]);
  clock.advance(LIMITS.configLookMs);
  await vi.waitFor(() => expect(running(applied)).toEqual({ two: ["1"] }));
  expect(heard.at(-1)).toMatchObject({ added: [], changed: ["one"], removed: [] });
  expect(store.list()[1]).toBe(untouched);
  other.close();
});
