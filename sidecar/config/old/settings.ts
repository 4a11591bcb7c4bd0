/**
 * How an older row's values are said in `config`, and back. Where a field is not given, the older column's default is meant, so
 * that the way there and back changes nothing.
 */
import { z } from "zod";

/** What both databases and a process can take. */
const text = z
  .string()
  .refine((value) => value.isWellFormed() && !value.includes("\0"), "expected plain text");
const texts = z.array(text);

/** The fields that an entry of the older system may have; its tables have no place for others. */
export const OldSettings = z.strictObject({
  type: z.enum(["stdio", "http"]).optional(),
  command: text.min(1).optional(),
  args: texts.default([]),
  env: z.record(text, text).default({}),
  url: text.min(1).optional(),
  description: text.optional(),
  tags: texts.default([]),
  /** Kept for the way back: the older system's own, which mean nothing here. */
  priority: z.int32().default(0),
  maxRetries: z.int32().default(3),
  timeoutSeconds: z.int32().default(30),
  autoStart: z.boolean().default(true),
});
export type OldSettings = z.infer<typeof OldSettings>;

const isDefault: Readonly<Record<string, (value: unknown) => boolean>> = {
  args: isEmpty,
  env: isEmpty,
  tags: isEmpty,
  priority: (value) => value === 0,
  maxRetries: (value) => value === 3,
  timeoutSeconds: (value) => value === 30,
  autoStart: (value) => value === true,
};

/** Without what says nothing that is not so anyway: the one form in which two systems can be compared. */
export function normalSettings(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const said = Object.entries(config).filter(([field, value]) => !isDefault[field]?.(value));
  const settings = Object.fromEntries(said);
  return isTypePlain(settings) ? withoutType(settings) : settings;
}

/** Whether the type is what its other fields say as well. */
export function isTypePlain({ type, ...said }: Readonly<Record<string, unknown>>): boolean {
  if (type === "stdio") return said.command !== undefined && said.container === undefined;
  if (typeof said.url !== "string" || said.command !== undefined || /^wss?:/i.test(said.url)) return false;
  return type === "http" || type === "streamable-http" || type === "streamableHttp";
}

function withoutType({ type: _, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
