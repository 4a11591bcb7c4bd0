import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { DedicatedUpstream } from "../../../sidecar/relay/dedicated-upstream.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { fakeOrchestrator, openSession, settle } from "./upstream-setup.ts";

function start({ isUp = true } = {}) {
  const clock = new ManualClock();
  const orchestrator = fakeOrchestrator(clock);
  orchestrator.isUp = isUp;
  const opened = openSession("dedicated", { clock });
  const ended = { times: 0 };
  new DedicatedUpstream(opened.session, orchestrator, () => void ended.times++);
  return { ...opened, clock, orchestrator, ended };
}

/** Twice what a client may leave unread. */
const WORDS = Array.from({ length: 20 }, (_, n) => `${n} ${"x".repeat(LIMITS.relayWindowBytes / 10)}`);

describe("a connection to an orchestrator for one client", () => {
  it("R1 tells a client the end of its orchestrator once it has read what came before", async () => {
    const { session, orchestrator, texts, closed, ended } = start();
    await settle();
    for (const word of WORDS) orchestrator.sayText(word);
    orchestrator.end(1000, "done");
    expect(texts().length).toBeLessThan(WORDS.length);
    expect([closed(), ended.times]).toEqual([undefined, 0]);
    session.credited(2 * LIMITS.relayWindowBytes);
    expect(texts()).toEqual(WORDS);
    expect(closed()).toMatchObject({ code: 1000, reason: "done" });
    expect(ended.times).toBe(1);
  });

  it("R4 waits no longer than a minute for a client to read what its orchestrator said at the end", async () => {
    const { clock, orchestrator, texts, closed, ended } = start();
    await settle();
    for (const word of WORDS) orchestrator.sayText(word);
    orchestrator.end(1000, "done");
    clock.advance(LIMITS.relayHeldMs);
    expect(texts().length).toBeLessThan(WORDS.length);
    expect(closed()).toMatchObject({ code: 4003 });
    expect([ended.times, clock.waiting]).toEqual([1, 0]);
  });

  it.each([
    [1006, 1001],
    [1005, 1000],
    [4321, 4321],
  ])("R1 tells the orchestrator how its client went: %i as %i", async (code, told) => {
    const { session, orchestrator } = start();
    await settle();
    session.over(code, "why");
    expect(orchestrator.closed).toEqual({ code: told, reason: "why" });
  });

  it("R1 passes on what a client said that left before it was connected, and then how it left", async () => {
    const { session, orchestrator, ended } = start();
    for (const data of ["one", "two"]) session.receive({ data, urgent: false });
    session.over(4321, "done");
    expect(ended.times).toBe(0);
    await settle();
    expect([orchestrator.heard, orchestrator.closed]).toEqual([
      ["one", "two"],
      { code: 4321, reason: "done" },
    ]);
    expect(ended.times).toBe(1);
  });

  it("R5 says in the audit what could not be passed on of a client that left", async () => {
    const { session, audited, ended } = start({ isUp: false });
    session.receive({ data: "in vain", urgent: false });
    session.over(1000, "");
    await settle();
    expect(audited).toMatchObject([{ data: "in vain", outcome: "swarm_unavailable" }]);
    expect(ended.times).toBe(1);
  });
});
