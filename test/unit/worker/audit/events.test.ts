import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { type EventBatch, type ToolEvent, ToolEvents } from "../../../../worker/mcp/events.ts";
import { anEvent } from "../../../support/audit-log.ts";

/** Deliveries wait until they are told how it went; pauses, until they are over. */
function setUp({ keepArguments = false } = {}) {
  const delivered: (EventBatch & { hive: string })[] = [];
  const deferred: Promise<void>[] = [];
  const pauses: (() => void)[] = [];
  const world = { nowMs: 1_000, fails: false, ids: 0 };
  const log = vi.fn();
  const end = vi.fn();
  const events = new ToolEvents({
    ...{ hives: ["default", "second"], keepArguments, log, tracer: { end }, now: () => world.nowMs },
    uuid: () => `id-${++world.ids}`,
    pause: () => new Promise((resolve) => pauses.push(resolve)),
    async deliver(hive, batch) {
      if (world.fails) throw new Error("the hive is away");
      delivered.push({ hive, ...batch });
    },
  });
  const record = (change: Partial<ToolEvent> = {}) =>
    events.record({ ...anEvent(), ...change }, (work) => void deferred.push(work));
  const pass = async () => {
    for (const over of pauses.splice(0)) over();
    await Promise.all(deferred.splice(0));
  };
  return { events, world, delivered, deferred, record, pass, log, end };
}

describe("what is remembered of requests", () => {
  it("T7 is brought in one batch to each hive, by one request for all that came meanwhile", async () => {
    const { record, delivered, deferred, pass } = setUp();
    for (let count = 0; count < 10; count++) record();
    record({ hive: "second" });
    expect(deferred).toHaveLength(2);
    expect(delivered).toEqual([]);
    await pass();
    expect(delivered.map(({ hive, items }) => [hive, items.length])).toEqual([
      ["default", 10],
      ["second", 1],
    ]);
    record();
    await pass();
    expect(delivered).toHaveLength(3);
  });

  it("T7 does not wait once there is enough of it", async () => {
    const { record, delivered, deferred } = setUp();
    for (let count = 0; count < LIMITS.eventBatch; count++) record();
    await deferred[1];
    expect(delivered.map(({ items }) => items.length)).toEqual([LIMITS.eventBatch]);
  });

  it("T7 comes once more when it could not be brought, as the same batch", async () => {
    const { record, delivered, world, pass, log } = setUp();
    world.fails = true;
    record({ requestId: "first" });
    await pass();
    expect(log).toHaveBeenCalledOnce();
    world.fails = false;
    record({ requestId: "second" });
    await pass();
    expect(delivered.map(({ id, items }) => [id, items[0]?.requestId])).toEqual([
      ["id-1", "first"],
      ["id-2", "second"],
    ]);
  });

  it("T7 is taken up by the next request when the one that was to bring it is gone", async () => {
    const { events, record, delivered, world, deferred } = setUp();
    record({ requestId: "first" });
    expect(deferred).toHaveLength(1);
    world.nowMs += 60_000;
    record({ requestId: "second" });
    expect(deferred).toHaveLength(2);
    await events.flush();
    expect(delivered.flatMap((batch) => batch.items.map(({ requestId }) => requestId))).toEqual([
      ...["first", "second"],
    ]);
  });

  it("S6 T7 has an end, and says how much is missing", async () => {
    const { record, delivered, world, pass, events } = setUp();
    world.fails = true;
    const past = 300;
    for (let count = 0; count < LIMITS.eventsHeld + past; count++) record();
    await pass();
    world.fails = false;
    await events.flush();
    await events.flush();
    const sum = (of: (batch: EventBatch) => number) => delivered.reduce((total, each) => total + of(each), 0);
    expect(sum((batch) => batch.items.length)).toBe(LIMITS.eventsHeld);
    expect(sum(({ lost }) => lost)).toBe(past);
  });

  it("S6 T7 is not filled by those whom nobody knows", async () => {
    const { record, delivered, world, pass } = setUp();
    const flood = 10_000;
    for (let count = 0; count < flood; count++) record({ client: null, outcome: "refused" });
    record({ client: "known" });
    world.nowMs += 1_000;
    await pass();
    const kept = delivered.flatMap(({ items }) => items);
    expect(kept.filter(({ client }) => client === null)).toHaveLength(LIMITS.refusalBurst);
    expect(kept.at(-1)?.client).toBe("known");
    expect(delivered.reduce((total, { lost }) => total + lost, 0)).toBe(flood - LIMITS.refusalBurst);
  });

  it("S6 T9 has no more spans of what is refused than entries", () => {
    const { record, end } = setUp();
    const context = { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true };
    const trace = { traceId: "a".repeat(32), headers: null, span: { context, parentSpanId: null } };
    for (const client of [null, "mallory"])
      for (let count = 0; count < 1_000; count++) record({ client, outcome: "refused", trace });
    expect(end).toHaveBeenCalledTimes(2 * LIMITS.refusalBurst);
    record({ client: "mallory", trace });
    expect(end).toHaveBeenCalledTimes(2 * LIMITS.refusalBurst + 1);
  });

  it("S6 T7 is not filled by what one client is refused, and others lose nothing by it", async () => {
    const { record, delivered, pass } = setUp();
    const flood = 10_000;
    for (let count = 0; count < flood; count++)
      record({ client: "mallory", outcome: "refused", code: "forbidden" });
    for (const outcome of ["refused", "ok"] as const) record({ client: "alice", outcome });
    record({ client: "mallory" });
    await pass();
    const kept = delivered.flatMap(({ items }) => items);
    expect(kept.filter(({ client, outcome }) => client === "mallory" && outcome === "refused")).toHaveLength(
      LIMITS.refusalBurst,
    );
    expect(kept.slice(-3).map(({ client, outcome }) => [client, outcome])).toEqual([
      ["alice", "refused"],
      ["alice", "ok"],
      ["mallory", "ok"],
    ]);
    expect(delivered.reduce((total, { lost }) => total + lost, 0)).toBe(flood - LIMITS.refusalBurst);
  });

  it("S8 T7 holds no arguments, unless asked to, and then no secrets; names are cut", async () => {
    const given = { token: "sk-aaaaaaaaaaaaaaaaaaaaaaaa", city: "Bern", note: "Bearer abcdefgh12345678" };
    const without = setUp();
    without.record({ arguments: given, tool: "x".repeat(5_000) });
    await without.pass();
    const [event] = without.delivered[0]?.items ?? [];
    expect(event).not.toHaveProperty("arguments");
    expect(event?.tool).toHaveLength(301);
    const asked = setUp({ keepArguments: true });
    asked.record({ arguments: given, method: "GET /v1/hives/default/sk-aaaaaaaaaaaaaaaaaaaaaaaa" });
    asked.record({ arguments: { text: "y".repeat(100_000) } });
    await asked.pass();
    const text = JSON.stringify(asked.delivered);
    expect(text).toContain("Bern");
    expect(text).not.toMatch(/sk-aaaa|abcdefgh12345678/);
    expect(asked.delivered[0]?.items[1]?.arguments).toHaveLength(LIMITS.auditArgumentsChars);
  });
});
