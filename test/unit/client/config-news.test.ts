import { expect, it } from "vitest";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { ConfigChanged } from "../../../shared/protocol/config.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeGateway, snapshot } from "./fakes.ts";

const CHANGE: ConfigChanged = {
  ...{ type: "config_changed", revision: 4, timestamp: 7 },
  ...{ added: ["a"], changed: [], removed: [] },
};

it("C1 U2 hears of a change of the configuration once, and after a reconnect of one that it missed", () => {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const stream = new HivegateStream({
    ...{ baseUrl: "https://gate.example/", hive: "default", token: "a.b.c" },
    ...{ openSocket: gateway.openSocket, clock, random: () => 1 },
  });
  const heard: ConfigChanged[] = [];
  stream.on("config_changed", (change) => heard.push(change));
  gateway.welcome();
  gateway.send({ type: "resumed", recovered: true, epoch: "e", offset: 1, config_revision: 3, timestamp: 6 });
  expect([stream.configRevision, heard]).toEqual([3, []]);
  gateway.send(CHANGE);
  gateway.send(CHANGE);
  expect([stream.configRevision, heard]).toEqual([4, [CHANGE]]);

  gateway.close(1006);
  clock.advance(500);
  gateway.welcome();
  gateway.send({ type: "resumed", recovered: true, epoch: "e", offset: 1, config_revision: 6, timestamp: 9 });
  gateway.send(snapshot(1, []));
  const missed = { type: "config_changed", revision: 6, timestamp: 9, added: [], changed: [], removed: [] };
  expect([stream.configRevision, heard]).toEqual([6, [CHANGE, missed]]);
  stream.close();
});
