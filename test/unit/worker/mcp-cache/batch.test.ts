import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { type BatchCall, BatchRequest, type CallOne, runBatch } from "../../../../worker/mcp/batch.ts";

const numbered = (count: number): BatchCall[] =>
  Array.from({ length: count }, (_, id) => ({ id, tool: "demo__look", arguments: { id } }));
const never = () => new AbortController().signal;

describe("a batch of calls", () => {
  it("T4 answers each call by its id, whatever becomes of the others and in whichever order they end", async () => {
    const outcome = fc.constantFrom("result", "isError", "error", "refused", "broken");
    await fc.assert(
      fc.asyncProperty(fc.array(outcome, { maxLength: 40 }), fc.scheduler(), async (outcomes, scheduler) => {
        const calls = numbered(outcomes.length);
        const callOne: CallOne = async ({ arguments: { id } }) => {
          await scheduler.schedule(Promise.resolve());
          return answerLike(outcomes[Number(id)], Number(id));
        };
        const running = runBatch(calls, callOne, never());
        const { results, errors, total } = await scheduler.waitFor(running);
        const ids = (fits: (outcome: string) => boolean) =>
          outcomes.flatMap((each, id) => (fits(each) ? [id] : []));
        const isResult = (each: string) => each === "result" || each === "isError";
        expect(results.map(({ id }) => id)).toEqual(ids(isResult));
        expect(errors.map(({ id }) => id)).toEqual(ids((each) => !isResult(each)));
        for (const { id, result } of results) expect(result).toMatchObject({ of: id });
        for (const { id, error } of errors)
          expect(error).toMatchObject(ERRORS[outcomes[Number(id)] ?? ""] ?? {});
        expect(total).toBe(outcomes.length);
      }),
      { numRuns: 50 },
    );
  });

  it("T4 makes ten calls at a time, and the next one as soon as one has ended", async () => {
    const open: (() => void)[] = [];
    let [underWay, most] = [0, 0];
    const callOne: CallOne = async () => {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => open.push(resolve));
      underWay--;
      return { result: {} };
    };
    const batch = runBatch(numbered(35), callOne, never());
    for (let ended = 0; ended < 35; ended++) {
      await expect.poll(() => open.length, { interval: 0 }).toBeGreaterThan(0);
      if (ended < 25) expect(underWay).toBe(LIMITS.batchCallsAtOnce);
      open.shift()?.();
      await expect.poll(() => underWay + ended, { interval: 0 }).toBe(Math.min(34, 9 + ended + 1));
    }
    expect((await batch).results).toHaveLength(35);
    expect(most).toBe(LIMITS.batchCallsAtOnce);
  });

  it("T4 tells what has no answer in time, keeps what has, and cancels the rest", async () => {
    const time = new AbortController();
    const cancelled: number[] = [];
    const begun: number[] = [];
    const callOne: CallOne = async ({ arguments: { id } }, signal) => {
      begun.push(Number(id));
      if (Number(id) < 3) return { result: {} };
      signal.addEventListener("abort", () => cancelled.push(Number(id)));
      if (begun.length === 13) queueMicrotask(() => time.abort());
      return Promise.withResolvers<McpAnswer>().promise;
    };
    const { results, errors, total } = await runBatch(numbered(20), callOne, time.signal);
    expect(results.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(errors.map(({ id }) => id)).toEqual(Array.from({ length: 17 }, (_, index) => index + 3));
    for (const { error } of errors) expect(error.data).toMatchObject({ code: "timeout" });
    expect(total).toBe(20);
    expect(cancelled).toHaveLength(10);
    expect(begun, "nothing more was begun").toHaveLength(13);
  });

  it("T4 begins nothing when its time is over before", async () => {
    const { errors } = await runBatch(numbered(2), () => Promise.reject(), AbortSignal.abort());
    expect(errors.map(({ error }) => error.data)).toMatchObject([{ code: "timeout" }, { code: "timeout" }]);
  });

  it.each<[string, unknown, boolean]>([
    ["none at all", { calls: [] }, true],
    ["as many as may be", { calls: numbered(LIMITS.batchCalls) }, true],
    ["one more", { calls: numbered(LIMITS.batchCalls + 1) }, false],
    ["two of the same id", { calls: [...numbered(2), ...numbered(1)] }, false],
    ["a number and the same in text", { calls: [...numbered(1), { id: "0", tool: "a__b" }] }, true],
    ["one without an id", { calls: [{ tool: "a__b" }] }, false],
    ["one with what nobody knows", { calls: [{ id: 1, tool: "a__b", stream: true }] }, false],
  ])("T4 takes %s: %#", (_, request, isValid) => {
    expect(BatchRequest.safeParse(request).success).toBe(isValid);
  });
});

const ERRORS: Record<string, object> = {
  error: { code: -32000, message: "the server's own", data: { why: 1 } },
  refused: { code: -32602, data: { code: "unknown_tool" } },
  broken: { code: -32603, data: { code: "internal" } },
};

function answerLike(outcome: string | undefined, id: number): McpAnswer {
  if (outcome === "refused") throw new HivegateError("unknown_tool");
  if (outcome === "broken") throw new Error("secret");
  if (outcome === "error") return { error: { code: -32000, message: "the server's own", data: { why: 1 } } };
  return { result: { of: id, ...(outcome === "isError" && { isError: true }) } };
}
