/** Many calls of tools in one request (T4): some at a time, each with an answer of its own. */
import { z } from "zod";
import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { JsonRpcError, type McpAnswer } from "../../shared/protocol/mcp.ts";

const BatchId = z.union([z.string().max(200), z.number()]);

export const BatchCall = z.strictObject({
  id: BatchId.describe("Comes back with the call's answer."),
  tool: z.string().min(1).max(700).describe("Its server's name and its own: claude-flow__agent_list."),
  arguments: z.record(z.string(), z.unknown()).default({}),
});
export type BatchCall = z.infer<typeof BatchCall>;

export const BatchRequest = z.strictObject({
  calls: z
    .array(BatchCall)
    .max(LIMITS.batchCalls, `at most ${LIMITS.batchCalls} calls`)
    .refine(
      (calls) => new Set(calls.map(({ id }) => id)).size === calls.length,
      "two calls have the same id",
    ),
});
export type BatchRequest = z.infer<typeof BatchRequest>;

/** Each list in the order of the calls. A tool that answers that it failed (`isError`) has answered: with a result. */
export const BatchAnswer = z.object({
  results: z.array(z.object({ id: BatchId, result: z.record(z.string(), z.unknown()) })),
  errors: z.array(z.object({ id: BatchId, error: JsonRpcError })),
  total: z.number().int(),
});
export type BatchAnswer = z.infer<typeof BatchAnswer>;

/** @throws whatever keeps this call, and no other, from being answered */
export type CallOne = (
  call: Pick<BatchCall, "tool" | "arguments">,
  signal: AbortSignal,
) => Promise<McpAnswer>;

export const withinBatchTime = (signal: AbortSignal): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(LIMITS.batchMs)]);

/** When `signal` is aborted, what is under way is cancelled, and what has no answer is told as `timeout`. */
export async function runBatch(
  calls: readonly BatchCall[],
  callOne: CallOne,
  signal: AbortSignal,
): Promise<BatchAnswer> {
  const { promise: ended, resolve: end } = Promise.withResolvers<McpAnswer>();
  const late = () => end(errorOf(new HivegateError("timeout")));
  if (signal.aborted) late();
  else signal.addEventListener("abort", late, { once: true });
  /** Shared by the lanes: each takes the next one that is left. */
  const left = calls.values();
  const answers = new Map<BatchCall, McpAnswer>();
  const lane = async () => {
    for (const call of left) {
      const answer = signal.aborted ? ended : callOne(call, signal).catch(errorOf);
      answers.set(call, await Promise.race([answer, ended]));
    }
  };
  await Promise.all(Array.from({ length: LIMITS.batchCallsAtOnce }, lane));
  signal.removeEventListener("abort", late);
  return answerOf(calls, answers);
}

function answerOf(calls: readonly BatchCall[], answers: ReadonlyMap<BatchCall, McpAnswer>): BatchAnswer {
  const batch: BatchAnswer = { results: [], errors: [], total: calls.length };
  for (const call of calls) {
    const answer = answers.get(call) ?? errorOf(new HivegateError("internal"));
    if ("result" in answer) batch.results.push({ id: call.id, result: answer.result });
    else batch.errors.push({ id: call.id, error: answer.error });
  }
  return batch;
}

const errorOf = (thrown: unknown): McpAnswer => ({ error: asHivegateError(thrown).toRpcError() });
