/** The kinds of variables that the configuration is read from. Messages say what is expected, never what was given. */
import { z } from "zod";

export const integer = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `expected an integer from ${from} to ${to}`)
    .transform(Number)
    .refine((n) => n >= from && n <= to, `expected an integer from ${from} to ${to}`);

export const flag = z
  .enum(["true", "false", "1", "0"], "expected true, false, 1 or 0")
  .transform((word) => word === "true" || word === "1");

export const oneOf = <const T extends [string, ...string[]]>(...words: T) =>
  z.enum(words, `expected one of ${words.join(", ")}`);

export const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("expected JSON");
    return z.NEVER;
  }
});

const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{43,}={0,2}$/;

export const keys = json
  .pipe(
    z
      .record(
        z.string().regex(/^[\w.-]{1,64}$/),
        z.string().regex(BASE64_OF_32_BYTES),
        "expected JSON {kid: base64}",
      )
      .refine((record) => Object.keys(record).length > 0),
  )
  .transform((record) => new Map(Object.entries(record).map(([kid, text]) => [kid, fromBase64(text)])));

const fromBase64 = (text: string): Uint8Array => Buffer.from(text, "base64");

export const listOf = <T extends z.ZodType<unknown, string>>(item: T) =>
  z
    .string()
    .transform((list) => list.split(",").map((name) => name.trim()))
    .pipe(z.array(item));

/** What the sidecar's own keys are in is for nobody else. */
export const OWN_SECRETS = [
  ...["SIDECAR_KEYS", "METRICS_TOKEN", "ORCHESTRATOR_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"],
  ...["MCP_OLD_DATABASE", "ALERT_WEBHOOK_URL"],
];

export const passedOn = z
  .string()
  .regex(/^[A-Za-z_]\w*$/, "expected names of variables")
  .refine((name) => !OWN_SECRETS.includes(name), { message: `not ${OWN_SECRETS.join(", ")}` });

export const containerName = z.string().regex(/^[a-zA-Z0-9][\w.-]{0,127}$/, "expected a container's name");
