import type { Context } from "hono";
import type { z } from "zod";
import { HivegateError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { parseJson } from "../shared/wire/json.ts";

/** @throws HivegateError `body_too_large`, `invalid_json` */
export async function readJson(c: Context): Promise<unknown> {
  const declaredBytes = Number(c.req.header("content-length") ?? Number.NaN);
  if (!(declaredBytes <= LIMITS.clientFrameBytes)) {
    throw new HivegateError(
      "body_too_large",
      `Send Content-Length, at most ${LIMITS.clientFrameBytes} bytes.`,
    );
  }
  try {
    return parseJson(await c.req.text());
  } catch {
    throw new HivegateError("invalid_json", "The body is not JSON, or nested too deep.");
  }
}

/** What is wrong with it, and where. */
export function invalid(error: z.ZodError): HivegateError {
  const issue = error.issues[0];
  return new HivegateError("invalid_request", `${issue?.path.join(".") || "body"}: ${issue?.message}`);
}
