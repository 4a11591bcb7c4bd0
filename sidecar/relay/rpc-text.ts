/** What the relay says or keeps of JSON-RPC's texts. */
import { ERRORS, type HivegateError } from "../../shared/errors.ts";
import { paramOf, type RpcPart } from "../../shared/relay/json-rpc.ts";
import type { Span } from "../../shared/relay/json-scan.ts";

/** An error in place of an answer. `id` is raw JSON. */
export function errorText(id: string, { code, message }: HivegateError): string {
  const error = JSON.stringify({ code: ERRORS[code].rpc, message, data: { code } });
  return `{"jsonrpc":"2.0","id":${id},"error":${error}}`;
}

/** The methods of a message for the audit, each once; null: it has none. */
export function methodsOf(parts: readonly RpcPart[]): string | null {
  if (parts.length === 1) return parts[0]?.method ?? null;
  const methods = new Set(parts.flatMap(({ method }) => method ?? []));
  return methods.size === 0 ? null : [...methods].join(", ");
}

/** Where the token for notices of progress stands. Its name may be written with escapes. */
export function tokenOf(text: string, part: RpcPart): Span | null {
  const mayBeThere = text.includes("progressToken", part.start) || text.includes("\\u", part.start);
  return mayBeThere ? paramOf(text, part, "_meta", "progressToken") : null;
}

/** Shorter slices V8 copies by itself. */
const SLICE_CHARS = 13;

/** A part of a text that is kept for longer than the text: V8 would keep all of the text for the sake of a slice. */
export const copied = (slice: string): string =>
  slice.length < SLICE_CHARS ? slice : Buffer.from(slice).toString();
