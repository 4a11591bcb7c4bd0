/** What clients of the older system send, and what is wrong with it in the words of FastAPI, which it was made with. */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import { parseJson } from "../../../shared/wire/json.ts";

type Problem = { type: string; loc: (string | number)[]; msg: string };

/** Answered with status 422. */
export class BadBody extends HivegateError {
  readonly detail: readonly Problem[];

  constructor(detail: readonly Problem[]) {
    super("invalid_request");
    this.detail = detail;
  }
}

const text = z.string();
const names = z.array(text);
const argv = z.tuple([text.min(1)], text);

const changes = {
  description: text,
  command: argv,
  env: z.record(text, text),
  http_url: text.min(1),
  agent_names: names,
  auto_start: z.boolean(),
  max_retries: z.int(),
  timeout_seconds: z.int(),
  tags: names,
  priority: z.int(),
};

/** What is not given, or null, stays as it is. */
const nullish = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const fields = {
  description: nullish(changes.description),
  command: nullish(changes.command),
  env: nullish(changes.env),
  http_url: nullish(changes.http_url),
  agent_names: nullish(changes.agent_names),
  auto_start: nullish(changes.auto_start),
  max_retries: nullish(changes.max_retries),
  timeout_seconds: nullish(changes.timeout_seconds),
  tags: nullish(changes.tags),
  priority: nullish(changes.priority),
};

export const ServerUpdate = z.object(fields);
export type ServerUpdate = z.infer<typeof ServerUpdate>;

export const ServerCreate = z
  .object({ name: text.min(1), server_type: z.enum(["stdio", "http"]), ...fields })
  .superRefine(({ server_type, command, http_url }, context) => {
    const missing = (field: string, message: string) =>
      context.issues.push({ code: "custom", path: [field], message, input: undefined });
    if (server_type === "stdio" && !command) missing("command", "Command is required for stdio servers");
    if (server_type === "http" && !http_url) missing("http_url", "HTTP URL is required for HTTP servers");
  });
export type ServerCreate = z.infer<typeof ServerCreate>;

/** Entries as in `.mcp.json`, with the older system's own settings in its spelling. */
export const Configure = z.object({
  mcpServers: z.record(
    text,
    z.looseObject({
      auto_start: fields.auto_start,
      max_retries: fields.max_retries,
      timeout_seconds: fields.timeout_seconds,
      agent_names: fields.agent_names,
      enabled: nullish(z.boolean()),
      disabled: nullish(z.boolean()),
    }),
  ),
});
export type Configure = z.infer<typeof Configure>;

/** @throws BadBody */
export function readBody<T>(schema: z.ZodType<T>, body: Uint8Array): T {
  const json = jsonIn(body);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new BadBody(parsed.error.issues.map((issue) => problemOf(issue, json)));
}

function jsonIn(body: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
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
