import { describe, expect, it } from "vitest";
import { LivePicture } from "../../../shared/client/live-picture.ts";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { agent, FakeGateway, snapshot, update } from "./fakes.ts";

const FILTERS = { include_performance: true, include_neural: false, include_topology: false };

function start() {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const options = { baseUrl: "https://gate.example/", hive: "default", token: "t", mode: "normal" as const };
  const stream = new HivegateStream({
    ...options,
    ...{ filters: FILTERS, openSocket: gateway.openSocket, clock, random: () => 1 },
  });
  return { clock, gateway, stream };
}

const through = (view: string, frame: GatewayFrame): GatewayFrame =>
  frame.type === "snapshot" ? { ...frame, view } : frame;

describe("a client that catches up", () => {
  it("S1 U2 is shown what its owner chose while the socket was being opened", () => {
    const { gateway, stream } = start();
    const filters = { ...FILTERS, swarm_ids: ["s"] };
    stream.setFilters(filters);
    stream.setMode("low_frequency");
    gateway.welcome();
    expect(gateway.received).toMatchObject([{ type: "configure", filters, mode: "low_frequency" }]);
  });

  it("U2 says nothing of what the gateway was told when the socket was opened", () => {
    const { gateway } = start();
    gateway.welcome();
    expect(gateway.received).toEqual([]);
  });

  it("Q2 asks again, every five seconds, until what was missed has come", () => {
    const { clock, gateway } = start();
    gateway.welcome();
    gateway.send(through("v", snapshot(1, [agent("a")])));
    gateway.send(update(3, 4, []));
    const resume = { type: "resume", epoch: "e", offset: 1, view: "v" };
    expect(gateway.ofType("resume")).toEqual([resume]);
    clock.advance(5_000);
    expect(gateway.ofType("resume")).toEqual([resume, resume]);
    gateway.send(update(1, 4, []));
    clock.advance(20_000);
    expect(gateway.ofType("resume")).toHaveLength(2);
  });

  it("Q2 asks a moment later when it had just been shown something else", () => {
    const { clock, gateway, stream } = start();
    gateway.welcome();
    gateway.send(snapshot(1, []));
    stream.setFilters({ ...FILTERS, swarm_ids: ["s"] });
    gateway.send(update(1, 2, []));
    expect(gateway.ofType("get_snapshot")).toEqual([]);
    clock.advance(5_000);
    expect(gateway.ofType("get_snapshot")).toHaveLength(1);
  });

  it("Q2 goes on with what it has when another shard, which is behind, shows an older picture", () => {
    const picture = new LivePicture();
    picture.apply(through("v", snapshot(5, [agent("new")])));
    picture.apply(through("v", snapshot(4, [agent("old")])));
    expect([...picture.agents.keys()]).toEqual(["new"]);
    picture.apply(through("w", snapshot(4, [agent("other")])));
    expect([...picture.agents.keys()]).toEqual(["other"]);
  });
});
