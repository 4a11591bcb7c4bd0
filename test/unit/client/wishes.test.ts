import { describe, expect, it } from "vitest";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import type { Filters } from "../../../shared/protocol/client.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeGateway, settled } from "./fakes.ts";

const ALL: Filters = { include_performance: false, include_neural: false, include_topology: false };
const only = (agentType: string): Filters => ({ ...ALL, agent_types: [agentType] });

function open() {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const stream = new HivegateStream({
    ...{ baseUrl: "https://gate.example/", hive: "default", token: "t", random: () => 1 },
    ...{ openSocket: gateway.openSocket, clock },
  });
  const errors: string[] = [];
  stream.on("error", ({ code }) => errors.push(code));
  gateway.welcome();
  const told = () => gateway.ofType("configure");
  const requestId = () => String(told().at(-1)?.requestId);
  const refuse = async (code: ErrorCode) => {
    gateway.send({
      ...{ type: "error", requestId: requestId(), code, message: "No.", retryable: false, timestamp: 1 },
    });
    await settled();
  };
  const obey = async () => {
    gateway.send({
      ...{ type: "session", requestId: requestId(), client_id: crypto.randomUUID(), filters: ALL },
      ...{ mode: "normal", effective_mode: "normal", timestamp: 1 },
      quality: {
        ...{ latency_ms: null, missed_heartbeats: 0, backlog_bytes: 0, skipped_updates: 0, connected_at: 1 },
      },
    });
    await settled();
  };
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settled();
  };
  return { clock, gateway, stream, errors, told, refuse, obey, pass };
}

describe("HivegateStream: what its owner wants to see", () => {
  it("U2 S1 is said until the gateway takes it", async () => {
    const { stream, told, refuse, obey, pass, errors } = open();
    stream.setFilters(only("queen"));
    await refuse("rate_limited");
    await pass(500);
    await refuse("rate_limited");
    await pass(999);
    expect(told().length).toBe(2);
    await pass(1);
    expect(told()).toMatchObject(Array(3).fill({ filters: only("queen") }));
    await obey();
    await pass(60_000);
    expect([told().length, errors]).toEqual([3, []]);
  });

  it("U2 S1 is said as it is now, when it changed while the gateway was being told", async () => {
    const { stream, told, obey } = open();
    stream.setFilters(only("queen"));
    stream.setFilters(only("worker"));
    stream.setMode("low_frequency");
    stream.setFilters(only("scout"));
    expect(told()).toMatchObject([{ filters: only("queen") }]);
    await obey();
    expect(told().slice(1)).toMatchObject([{ filters: only("scout"), mode: "low_frequency" }]);
    await obey();
    expect(told().length).toBe(2);
  });

  it("U2 S1 is said again when nobody knows whether the gateway took what was wanted in between", async () => {
    const { stream, told, obey, pass } = open();
    stream.setMode("normal");
    await obey();
    stream.setMode("on_demand");
    stream.setMode("normal");
    await pass(10_000);
    await pass(500);
    expect(told().map(({ mode }) => mode)).toEqual(["normal", "on_demand", "normal"]);
  });

  it("U2 T8 is not said again when the gateway will never have it, and its owner hears why", async () => {
    const { stream, told, refuse, pass, errors } = open();
    stream.setFilters(only("queen"));
    stream.setMode("high_frequency");
    await refuse("invalid_request");
    expect(errors).toEqual(["invalid_request"]);
    expect(told().slice(1)).toMatchObject([{ mode: "high_frequency" }]);
    expect(told()[1]).not.toHaveProperty("filters");
    await pass(60_000);
    expect(told().length).toBe(2);
  });

  it("U2 S1 is said by the next connection's address when the one that was told is lost", async () => {
    const { gateway, stream, told, refuse, pass, errors } = open();
    stream.setMode("low_frequency");
    await refuse("overloaded");
    stream.setFilters(only("queen"));
    gateway.close(1006);
    await pass(500);
    const { searchParams } = new URL(gateway.dials.at(-1)?.url ?? "");
    expect(JSON.parse(searchParams.get("filters") ?? "")).toEqual(only("queen"));
    expect(searchParams.get("mode")).toBe("low_frequency");
    gateway.welcome();
    await pass(20_000);
    expect([told(), errors]).toEqual([[], []]);
  });

  it("U2 is no longer said after its owner has closed the stream", async () => {
    const { clock, stream, refuse } = open();
    stream.setFilters(only("queen"));
    await refuse("rate_limited");
    stream.close();
    expect(clock.waiting).toBe(0);
  });
});
