/** Bodies of the older system's requests, and what is wrong with them in the words of FastAPI, which it was made with. */
import type { z } from "zod";
import { HivegateError } from "../errors.ts";
import { parseJson } from "./json.ts";

type Problem = { type: string; loc: (string | number)[]; msg: string };

/** Answered with status 422 and `{detail}`. */
export class BadBody extends HivegateError {
  readonly detail: readonly Problem[];

  constructor(detail: readonly Problem[]) {
    super("invalid_request");
    this.detail = detail;
  }
}

/** @throws BadBody */
export function readFastApiBody<T>(schema: z.ZodType<T>, body: Uint8Array): T {
  const json = jsonIn(body);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new BadBody(parsed.error.issues.map((issue) => problemOf(issue, json)));
}

function jsonIn(body: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body));
  } catch {
    throw new BadBody([{ type: "json_invalid", loc: ["body"], msg: "JSON decode error" }]);
  }
}

/** Unlike in FastAPI's, nothing of what was sent is in it: it may be a secret. */
function problemOf({ code, message, path }: z.core.$ZodIssue, json: unknown): Problem {
  const loc = ["body", ...path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  if (code === "custom") return { type: "value_error", loc, msg: `Value error, ${message}` };
  return isThere(json, path)
    ? { type: code, loc, msg: message }
    : { type: "missing", loc, msg: "Field required" };
}

function isThere(value: unknown, [first, ...rest]: readonly PropertyKey[]): boolean {
  if (first === undefined) return true;
  const inside = new Map<PropertyKey, unknown>(Object.entries(value ?? {})).get(String(first));
  return inside !== undefined && isThere(inside, rest);
}
