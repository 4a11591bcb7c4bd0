/** A body of the older system's, and what is wrong with it as FastAPI told it. */
import type { Context } from "hono";
import type { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { parseJson } from "../../shared/wire/json.ts";
import { bodyOf } from "../mcp/forward.ts";

type Problem = { loc: (string | number)[]; msg: string; type: string };

/** Answered with status 422. */
export class BadBody extends HivegateError {
  readonly detail: readonly Problem[];

  constructor(detail: readonly Problem[]) {
    super("invalid_request");
    this.detail = detail;
  }
}

/** @throws BadBody; HivegateError `body_too_large` */
export async function readOlderBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = new TextDecoder().decode(await bodyOf(c.req.raw));
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    throw new BadBody([{ loc: ["body"], msg: "JSON decode error", type: "json_invalid" }]);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new BadBody(
    parsed.error.issues.map(({ path, message, code }) => ({
      loc: ["body", ...path.map((part) => (typeof part === "symbol" ? String(part) : part))],
      ...{ msg: message, type: code },
    })),
  );
}
