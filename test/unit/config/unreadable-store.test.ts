import { statSync, writeFileSync } from "node:fs";
import { Registry } from "prom-client";
import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { noRollout } from "../../../sidecar/config/rollout/rollout.ts";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { watchConfigs } from "../../../sidecar/metrics/config-metrics.ts";
import { setConfig } from "../../support/config-entry.ts";
import { liveConfigs, running, value } from "./live-configs-parts.ts";

describe("C3 a store that cannot be read any more", () => {
  it("C3 is told of in the log, and what is in force stays so", async () => {
    const { configs, store, applied, clock, lines } = await liveConfigs({ commands: ["serve"] });
    await configs.put("one", value(1), "none", { by: "ada", source: "api" });
    // So that what is kept in memory is out of date.
    const other = new ConfigStore(store.file);
    other.write([setConfig("two", 1)], { by: "old", source: "old" }, { nowMs: 1 });
    other.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    other.close();
    writeFileSync(store.file, Buffer.alloc(statSync(store.file).size, 7), { flag: "r+" });
    for (let look = 1; look <= 3; look++) {
      clock.advance(LIMITS.configLookMs);
      const told = () => lines.filter((line) => line.includes("could not be taken over"));
      await vi.waitFor(() => expect(told()).toHaveLength(look));
    }
    expect(running(applied)).toEqual({ one: ["1"] });
    await expect(configs.put("three", value(1), "none", { by: "ada", source: "api" })).rejects.toThrow();
    const registry = new Registry();
    watchConfigs(registry, { configs, rollout: noRollout(store) });
    expect(await registry.metrics()).toContain("hivegate_config_revision Nan");
  });
});
