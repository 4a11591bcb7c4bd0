/** A row of `mcp_servers`, read: PostgreSQL's types or SQLite's, JSON in a column of text or of its own. */
import { z } from "zod";
import { parseJson } from "../../../shared/wire/json.ts";

/** Ids are numbers or UUIDs; they are compared as texts. */
export const Id = z.union([z.string().min(1), z.int(), z.bigint()], "expected an id").transform(String);

const Whole = z
  .union(
    [z.int(), z.bigint(), z.string().regex(/^[+-]?\d+$/, "expected a whole number")],
    "expected a whole number",
  )
  .transform(Number)
  .pipe(z.int("expected a whole number"));

const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 1, 1n, "1", "t", "true"].map((yes) => [yes, true] as const),
  ...[false, 0, 0n, "0", "f", "false"].map((no) => [no, false] as const),
]);

const Flag = z.unknown().transform((value, context) => {
  const flag = FLAGS.get(typeof value === "string" ? value.toLowerCase() : value);
  if (flag !== undefined) return flag;
  context.issues.push({ code: "custom", message: "expected true or false", input: value });
  return z.NEVER;
});

/** An empty text is no JSON, but is what some tools write for nothing. */
const json = <T extends z.ZodType>(schema: T) =>
  z
    .string("expected JSON")
    .nullable()
    .transform((text, context): unknown => {
      if (text === null || text.trim() === "") return null;
      try {
        const value = parseJson(text);
        // A name that is no key as others are in JavaScript: the schema would leave it out.
        if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__"))
          throw new SyntaxError();
        return value;
      } catch {
        context.issues.push({ code: "custom", message: "this JSON cannot be read", input: text });
        return z.NEVER;
      }
    })
    .pipe(schema.nullable());

const texts = z.array(z.string("expected texts"), "expected a JSON array of texts");

/** Only columns of configuration: what the older system remembers of its own running stays with it. */
export const OldServer = z.object({
  id: Id,
  name: z.string("expected a text"),
  server_type: z.enum(["stdio", "http"], "expected stdio or http"),
  description: z.string("expected a text").nullable(),
  command: json(texts).transform((argv) => argv ?? []),
  env: json(
    z.record(z.string(), z.string("expected texts"), "expected a JSON object of names and texts"),
  ).transform((env) => env ?? {}),
  http_url: z
    .string("expected a text")
    .nullable()
    .transform((url) => url || null),
  auto_start: Flag,
  max_retries: Whole,
  timeout_seconds: Whole,
  tags: json(texts).transform((tags) => tags ?? []),
  priority: Whole,
  enabled: Flag,
});
export type OldServer = z.infer<typeof OldServer>;

/** What such a row says, without which row it is. */
export type OldValues = Omit<OldServer, "id">;
