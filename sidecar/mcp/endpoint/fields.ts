import { isRecord } from "../record.ts";

type Fields = Record<string, unknown>;

export const recordOr = (value: unknown, otherwise: Fields = {}): Fields =>
  isRecord(value) ? value : otherwise;

/** The same without these fields. */
export const without = (value: Fields, ...fields: string[]): Fields =>
  Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));
