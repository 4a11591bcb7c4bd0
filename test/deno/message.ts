/**
 * What vitest and its worker say to each other, as text. Node's "advanced" serialization is that of its V8, which
 * cannot read what the newer V8 of Deno writes; and JSON has no cycles, which lead from a test to its file and back.
 */
import { parse, stringify } from "devalue";

export const encode = (message: unknown): string =>
  stringify(message, {
    Error: (value) => value instanceof Error && { message: value.message, stack: value.stack },
  });

export function decode(text: unknown): unknown {
  if (typeof text !== "string") throw new TypeError("Vitest and its worker in Deno exchange text.");
  return parse(text, {
    Error: ({ message, stack }) => Object.assign(new Error(message), { stack }),
  });
}
