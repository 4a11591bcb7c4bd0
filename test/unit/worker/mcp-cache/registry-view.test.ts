import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { RegistryAnswer } from "../../../../shared/protocol/tools.ts";
import { RegistryView } from "../../../../worker/mcp/registry-view.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

/** A view whose questions are answered when, and as, a test says. */
function viewOf() {
  const clock = new ManualClock();
  const questions: { known: string | null; answer(version: string): void }[] = [];
  const view = new RegistryView(
    (_hive, { known }) => {
      const { promise, resolve } = Promise.withResolvers<RegistryAnswer | null>();
      const answer = (version: string) => resolve(version === known ? null : { version, servers: [] });
      questions.push({ known, answer });
      return promise;
    },
    () => clock.now(),
  );
  const ask = () => {
    const done = view.refresh("h", null);
    const question = questions.at(-1);
    if (!question) throw new Error("nobody was asked");
    return async (version: string) => {
      question.answer(version);
      return (await done)?.version;
    };
  };
  return { clock, view, ask, current: () => view.current("h")?.version ?? null };
}

describe("what the edge knows of a registry", () => {
  it.each(["1", "0"])("C1 T3 stays in doubt after an answer (%s) to what was asked before", async (late) => {
    const { clock, view, ask, current } = viewOf();
    await ask()("1");
    expect(current()).toBe("1");
    clock.advance(LIMITS.registryConfirmedMs);
    const answerLate = ask();
    view.doubt("h");
    expect(await answerLate(late)).toBe(late);
    expect(current()).toBeNull();
    view.heard("h", "1");
    expect(current()).toBeNull();
    await ask()("2");
    expect(current()).toBe("2");
  });

  it("C1 T3 goes not back to what an answer says that was overtaken", async () => {
    const { view, ask, current } = viewOf();
    await ask()("1");
    const [first, second] = [ask(), ask()];
    await second("2");
    await first("1");
    expect(current()).toBe("2");
    view.heard("h", "3");
    view.heard("h", "2");
    expect(current()).toBeNull();
  });

  it("C1 T3 is confirmed by every answer that is given under its version", async () => {
    const { clock, view, ask, current } = viewOf();
    await ask()("1");
    for (let times = 0; times < 3; times++) {
      clock.advance(LIMITS.registryTrustedMs);
      view.heard("h", "1");
      expect(current()).toBe("1");
    }
    clock.advance(LIMITS.registryTrustedMs + 1);
    expect(current()).toBeNull();
  });
});
