/** Refusals as the older system put them: `{detail}`, with the status of FastAPI. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import { asHivegateError, ERROR_CODES, HivegateError, isOurFault } from "../../shared/errors.ts";
import { BadBody } from "../../shared/wire/fastapi-body.ts";
import { REFUSAL } from "../audit/record-requests.ts";
import { isRecorded } from "../mcp/recorded.ts";

/** Does what is asked; whatever keeps it from being done is told in the older system's words, and remembered as ever. */
export async function inOlderWords(
  c: Context,
  log: (message: string, error: unknown) => void,
  act: () => Promise<Response>,
): Promise<Response> {
  try {
    return await act();
  } catch (thrown) {
    const error = asHivegateError(thrown);
    if (isOurFault(error)) log(`${c.req.method} ${c.req.path}`, error);
    if (!isRecorded(thrown)) c.set(REFUSAL, error);
    const { retry_after } = error.toBody();
    if (retry_after !== undefined) c.header("retry-after", `${retry_after}`);
    const status: ContentfulStatusCode = error.httpStatus;
    return error instanceof BadBody
      ? c.json({ detail: error.detail }, 422)
      : c.json({ detail: error.message }, status);
  }
}

const OwnError = z.object({ code: z.enum(ERROR_CODES), message: z.string() });

/** The sidecar's answer, unless it is an error in our own words. @throws HivegateError which is it then */
export async function olderAnswer(c: Context, answer: Response): Promise<Response> {
  if (answer.status < 400) return answer;
  const text = await answer.text();
  const own = OwnError.safeParse(jsonIn(text));
  if (own.success) throw new HivegateError(own.data.code, own.data.message);
  c.set(REFUSAL, new HivegateError(answer.status === 404 ? "not_found" : "invalid_request"));
  return new Response(text, answer);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
