import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { settle, start } from "./upstream-setup.ts";

describe("a shared connection to an orchestrator", () => {
  it("R4 holds what comes while it is away, and sends it once it is there: urgent ones first", async () => {
    const { orchestrator, join, heard, advance } = start();
    orchestrator.isUp = false;
    const client = join();
    await settle();
    for (const id of [1, 2]) client.ask(id);
    client.ask(3, true);
    expect(heard()).toEqual([]);
    orchestrator.isUp = true;
    await advance(5_000);
    expect(heard()).toEqual(["m3", "m1", "m2"]);
    expect([client.refused(), client.states()]).toEqual([[], ["connecting", "reconnecting", "connected"]]);
  });

  it("R4 sends no request that was cancelled while it waited, and answers it by an error", async () => {
    const { orchestrator, join, heard, advance } = start();
    orchestrator.isUp = false;
    const [a, b] = [join(), join()];
    await settle();
    for (const client of [a, b]) for (const id of [1, 2]) client.ask(id);
    const params = { requestId: 1 };
    const data = JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
    a.session.receive({ data, urgent: true });
    expect([a.refused(), b.refused()]).toEqual([[["1", "swarm_unavailable"]], []]);
    orchestrator.isUp = true;
    await advance(5_000);
    expect(heard()).toEqual(["m2", "m1", "m2"]);
  });

  it("R4 lets a cancellation overtake what others wait for, and not the batch with its own request", async () => {
    const { orchestrator, join, heard } = start();
    const [a, b] = [join(), join()];
    await settle();
    a.ask(1);
    orchestrator.isStuffed = true;
    b.ask(2);
    const ask = (id: number) => ({ jsonrpc: "2.0", id, method: `m${id}` });
    a.session.receive({ data: JSON.stringify([ask(3)]), urgent: false });
    for (const requestId of [3, 1]) {
      const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } };
      a.session.receive({ data: JSON.stringify(cancel), urgent: true });
    }
    orchestrator.isStuffed = false;
    orchestrator.tellRoom();
    const cancelled = "notifications/cancelled";
    expect(heard()).toEqual(["m1", cancelled, "m2", "m3", cancelled]);
  });

  it("R4 sends what a client said before it left, were it the last one", async () => {
    const { orchestrator, upstream, clock, join, heard, advance } = start();
    orchestrator.isUp = false;
    const client = join();
    await settle();
    client.ask(1);
    client.session.over(1000, "");
    orchestrator.isUp = true;
    await advance(5_000);
    expect(heard()).toEqual(["m1"]);
    expect([upstream.state, upstream.pending, clock.waiting]).toEqual([null, 0, 0]);
  });

  it("R4 asks a client nothing that left before its message was sent", async () => {
    const { orchestrator, join } = start();
    const [gone, there] = [join(), join()];
    await settle();
    orchestrator.isStuffed = true;
    gone.ask(1);
    gone.session.over(1000, "");
    orchestrator.isStuffed = false;
    orchestrator.tellRoom();
    orchestrator.say({ id: 1, method: "ping" });
    expect(there.texts()).toHaveLength(1);
  });

  it("R6 refuses what waits when it is closed, and leaves no timer", async () => {
    const { orchestrator, upstream, clock, join } = start();
    orchestrator.isUp = false;
    const [gone, there] = [join(), join()];
    await settle();
    gone.ask(1);
    gone.session.over(1000, "");
    there.ask(2);
    upstream.close();
    expect(there.refused()).toEqual([["2", "shutting_down"]]);
    expect(gone.audited).toMatchObject([{ method: "m1", outcome: "shutting_down" }]);
    expect(clock.waiting).toBe(0);
  });

  it("R6 moves what was said by a client that left to the next orchestrator, and sends it there", async () => {
    const [old, next] = [start(), start()];
    old.orchestrator.isUp = false;
    const client = old.join();
    await settle();
    client.ask(1);
    client.session.over(1000, "");
    next.upstream.adopt(old.upstream.retire(1_000));
    await settle();
    expect(next.heard()).toEqual(["m1"]);
    expect([next.upstream.state, old.upstream.state, old.clock.waiting]).toEqual([null, null, 0]);
  });

  it("R5 says in the audit what a client that left had waiting, and was never sent", async () => {
    const { orchestrator, upstream, clock, join, advance } = start();
    orchestrator.isUp = false;
    const client = join();
    await settle();
    client.ask(1);
    client.session.over(1000, "");
    await advance(LIMITS.relayHeldMs);
    expect(client.audited).toMatchObject([{ method: "m1", outcome: expect.any(String) }]);
    expect(client.audited[0]?.outcome).not.toBe("passed");
    expect([upstream.state, clock.waiting]).toEqual([null, 0]);
  });

  it("R4 answers each request of a batch whose answer was not read, and what the orchestrator asked", async () => {
    const { orchestrator, join, advance } = start();
    const client = join();
    await settle();
    orchestrator.sayText("x".repeat(LIMITS.relayWindowBytes));
    const batch = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "m" }));
    client.session.receive({ data: JSON.stringify(batch), urgent: false });
    for (const text of [...orchestrator.heard]) orchestrator.say({ id: JSON.parse(text).id, result: 0 });
    orchestrator.say({ id: "question", method: "sampling/createMessage" });
    await advance(LIMITS.relayHeldMs);
    expect(client.refused()).toEqual([
      ["1", "timeout"],
      ["2", "timeout"],
      [null, "timeout"],
    ]);
    const answer = JSON.parse(orchestrator.heard.at(-1) ?? "");
    expect(answer).toMatchObject({ id: "question", error: { data: { code: "overloaded" } } });
  });

  it("R4 gives up what was held for a minute, with an error for each request", async () => {
    const { orchestrator, join, advance } = start();
    orchestrator.isUp = false;
    const client = join();
    await settle();
    client.ask("old");
    await advance(30_000);
    client.ask("young");
    await advance(30_000);
    expect(client.refused()).toEqual([['"old"', "swarm_unavailable"]]);
  });

  it("R2 waits longer each time, then opens the circuit and refuses all at once", async () => {
    const { clock, orchestrator, join, advance } = start();
    orchestrator.isUp = false;
    const client = join();
    await settle();
    client.ask(1);
    // The jitter's least half of 5, 10, 20 and 40 seconds.
    for (const delayMs of [2_500, 5_000, 10_000, 20_000]) await advance(delayMs);
    expect(client.states()).toEqual(["connecting", ...Array(4).fill("reconnecting"), "circuit_open"]);
    expect(client.refused()).toEqual([["1", "circuit_open"]]);
    client.ask(2);
    expect(client.refused()[1]).toEqual(["2", "circuit_open"]);
    expect(clock.waiting).toBe(1);
    orchestrator.isUp = true;
    await advance(160_000);
    expect(client.states().at(-1)).toBe("connected");
  });

  it("R3 is connected while it has clients, and not a moment longer", async () => {
    const { clock, orchestrator, upstream, join } = start();
    const [a, b] = [join(), join()];
    await settle();
    expect([orchestrator.opened, upstream.state?.state]).toEqual([1, "connected"]);
    a.session.over(1000, "");
    expect(upstream.state?.state).toBe("connected");
    b.session.over(1000, "");
    expect([upstream.state, clock.waiting]).toEqual([null, 0]);
    join();
    await settle();
    expect(orchestrator.opened).toBe(2);
  });

  it("R4 greets a new connection before anything else goes over it", async () => {
    const { orchestrator, join, heard, advance } = start();
    const client = join();
    await settle();
    client.session.receive({
      data: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
      urgent: false,
    });
    const idOf = (n: number) => JSON.parse(orchestrator.heard[n] ?? "").id;
    orchestrator.say({ id: idOf(0), result: {} });
    orchestrator.breakOff();
    client.ask(2);
    orchestrator.isUp = true;
    await advance(5_000);
    expect(heard()).toEqual(["initialize", "initialize"]);
    orchestrator.say({ id: idOf(1), result: {} });
    expect(heard().slice(2)).toEqual(["notifications/initialized", "m2"]);
    expect(client.refused()).toEqual([]);
  });

  it("R4 sends each message once, in the order of its class, or refuses it, and answers for each that was sent", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ client: fc.nat(2), urgent: fc.boolean() }) },
      { weight: 2, arbitrary: fc.constant("break" as const) },
      { weight: 3, arbitrary: fc.constant("up" as const) },
      {
        weight: 6,
        arbitrary: fc.constantFrom("stuff" as const, "room" as const, "tell" as const, "answer" as const),
      },
      { weight: 3, arbitrary: fc.record({ advanceMs: fc.nat(40_000) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), async (steps) => {
        const { orchestrator, join, heard, advance } = start();
        const clients = [join(), join(), join()];
        await settle();
        let asked = 0;
        let answered = 0;
        const answer = () => {
          for (; answered < orchestrator.heard.length; answered++)
            orchestrator.say({ id: JSON.parse(orchestrator.heard[answered] ?? "").id, result: 0 });
        };
        const urgent = new Set<number>();
        for (const one of steps) {
          if (one === "break") orchestrator.breakOff();
          else if (one === "up") orchestrator.isUp = true;
          else if (one === "stuff") orchestrator.isStuffed = true;
          else if (one === "room") orchestrator.isStuffed = false;
          else if (one === "tell") orchestrator.tellRoom();
          else if (one === "answer") answer();
          else if ("advanceMs" in one) await advance(one.advanceMs);
          else {
            if (one.urgent) urgent.add(asked);
            clients[one.client]?.ask(asked++, one.urgent);
          }
          await settle();
        }
        orchestrator.isUp = true;
        orchestrator.isStuffed = false;
        orchestrator.tellRoom();
        await advance(600_000);
        answer();
        const sent = heard().map((method) => Number(method.slice(1)));
        expect(new Set(sent).size).toBe(sent.length);
        for (const isUrgent of [true, false]) {
          const ofClass = sent.filter((id) => urgent.has(id) === isUrgent);
          expect(ofClass).toEqual(ofClass.toSorted((a, b) => a - b));
        }
        const told = clients.flatMap(({ records }) =>
          records.flatMap((record) => {
            if (record.type === "refused") return [Number(record.id)];
            return record.type === "message" ? [Number(JSON.parse(String(record.data)).id)] : [];
          }),
        );
        expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: asked }, (_, id) => id));
      }),
      { numRuns: 150 },
    );
  });
});
