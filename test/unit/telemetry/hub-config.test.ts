import { expect, it } from "vitest";
import type { ConfigChanged } from "../../../shared/protocol/config.ts";
import { TelemetryHub } from "../../../sidecar/telemetry/hub.ts";
import { aTask } from "../../support/agents.ts";
import { recordingLog } from "../../support/recording-log.ts";

it("C1 a stream begins with the configuration in force, and tells of each change, for those who ask", async () => {
  const hub = new TelemetryHub({
    ...{ sources: [], watchContainer: () => () => {}, tasks: [], epoch: "e" },
    ...{ log: recordingLog().log, now: () => 5 },
  });
  const status = { revision: 3 };
  let tell = (_change: ConfigChanged) => {};
  hub.watchConfigs({
    status,
    onChange: (listener) => {
      tell = listener;
    },
  });
  const reader = hub.open({ reader: "r", intervalMs: null, position: null, config: true }).getReader();
  const older = hub.open({ reader: "older", intervalMs: null, position: null }).getReader();
  const next = async () => {
    const { value } = await reader.read();
    return new TextDecoder()
      .decode(value)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  expect(await next()).toMatchObject([
    { type: "config_revision", revision: 3 },
    { type: "snapshot", offset: 0 },
  ]);
  const change = {
    type: "config_changed",
    revision: 4,
    timestamp: 6,
    added: ["a"],
    changed: [],
    removed: [],
  };
  tell({ ...change, type: "config_changed" });
  expect(await next()).toEqual([change]);
  hub.taskChanged(aTask());
  expect(await next()).toMatchObject([{ type: "change", from: 0, offset: 1 }]);
  hub.close();
  const { value: begin } = await older.read();
  const { value: then } = await older.read();
  const types = [begin, then].map((bytes) => JSON.parse(new TextDecoder().decode(bytes)).type);
  expect([types, (await older.read()).done]).toEqual([["snapshot", "change"], true]);
});
