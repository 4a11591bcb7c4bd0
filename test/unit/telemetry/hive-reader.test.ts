import { expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { TelemetryLine } from "../../../shared/protocol/sidecar.ts";
import { LineSplitter } from "../../../shared/wire/lines.ts";
import { TelemetryHub, type TelemetryRequest } from "../../../sidecar/telemetry/hub.ts";
import { Hive } from "../../../worker/hive/hive.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

it("S6 a hive that comes again takes its own place, though the sidecar has not heard that it was lost", async () => {
  const clock = new ManualClock();
  const hub = new TelemetryHub({
    ...{ sources: [], watchContainer: () => () => {}, tasks: [], epoch: "e", log: recordingLog().log },
    now: () => clock.now(),
  });
  let streams = 0;
  /** Breaks after its first line, and nobody tells the sidecar. */
  async function* telemetry(request: TelemetryRequest) {
    streams++;
    const splitter = new LineSplitter(LIMITS.telemetryLineBytes);
    const { value = new Uint8Array() } = await hub.open(request).getReader().read();
    for (const text of splitter.push(value)) yield { line: TelemetryLine.parse(JSON.parse(text)), text };
    throw new Error("the network is gone");
  }
  const hive = new Hive({
    ...{ clock, telemetry, random: () => 1, uuid: () => crypto.randomUUID(), log: () => {} },
    ...{ demand: async () => {}, store: { load: () => null, save: () => {} } },
  });
  const shard = { send: () => {}, close: () => {} };
  hive.shardConnected("shard", shard);
  for (let n = 1; n <= LIMITS.telemetryReaders + 1; n++) {
    await expect.poll(() => [streams, clock.waiting]).toEqual([n, 1]);
    clock.advance(60_000);
  }
  expect(hub.readers).toBe(1);
  hive.shardClosed("shard", shard);
  hub.close();
});
