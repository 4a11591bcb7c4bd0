/** What it means when a request to a server over HTTP failed. */
import { SdkError, SdkHttpError } from "@modelcontextprotocol/client";
import { HivegateError } from "../../../shared/errors.ts";
import { LostConnection } from "../lost-connection.ts";
import { isRecord } from "../record.ts";
import { UnreadableAnswer } from "../unreadable-answer.ts";
import { AnswerTooLong } from "./limited-fetch.ts";
import { parseLine } from "./parse-line.ts";

export type HttpFailure =
  /** The server did answer, with an error's status. */
  | { kind: "answer"; message: unknown }
  /** The server knows nothing of our session. */
  | { kind: "session_over"; why: LostConnection }
  | { kind: "lost"; why: HivegateError };

/** `id` is the request's own; `hasSession`: whether it was made in a session. */
export function failureOf(error: unknown, id: string | null, hasSession: boolean): HttpFailure {
  if (!(error instanceof SdkHttpError)) return { kind: "lost", why: withoutStatus(error) };
  const { status, text } = error.data;
  const message = typeof text === "string" ? parseLine(text) : undefined;
  if (id !== null && isRecord(message) && message.id === id) return { kind: "answer", message };
  // 404 as the protocol says it: the request was not begun. Some servers say 400 and what they miss; but there they may
  // also repeat what somebody sent them.
  if (hasSession && (status === 404 || (status === 400 && /session/i.test(String(text)))))
    return { kind: "session_over", why: new LostConnection(error, { wasRefused: status === 404 }) };
  // Credentials that are not taken, or a server that cannot: nothing is wrong with the request.
  const isItsFault = status >= 500 || status === 401 || status === 403 || status === 429;
  return {
    kind: "lost",
    why: new HivegateError(isItsFault ? "mcp_unavailable" : "mcp_failed", undefined, { cause: error }),
  };
}

function withoutStatus(error: unknown): HivegateError {
  const causes = error instanceof Error ? [error, error.cause] : [];
  const isUnreadable =
    error instanceof SdkError ||
    causes.some((one) => one instanceof SyntaxError || one instanceof AnswerTooLong) ||
    (error instanceof Error && error.name === "ZodError");
  return isUnreadable ? new UnreadableAnswer(error) : new LostConnection(error);
}
