/** Arguments that a tool wants to see in headers too, `Mcp-Param-…`: those of whose schema `x-mcp-header` is a part. */
import { isRecord } from "./record.ts";

/** `header`: in lower case, with its prefix. */
export type Mirrored = { path: readonly string[]; header: string };

const PREFIX = "mcp-param-";
const HEADER_NAME = /^[!#$%&'*+.^`|~\w-]+$/;
const MIRRORABLE = new Set<unknown>(["string", "integer", "boolean"]);
/** Arguments that lie deeper are in no header. */
const MOST_DEPTH = 8;

export function mirroredIn(schema: unknown, path: readonly string[] = []): Mirrored[] {
  if (!isRecord(schema) || path.length > MOST_DEPTH) return [];
  const { type, properties, "x-mcp-header": header } = schema;
  const isNamed = typeof header === "string" && HEADER_NAME.test(header) && MIRRORABLE.has(type);
  const inside = isRecord(properties) ? Object.entries(properties) : [];
  return [
    ...(isNamed ? [{ path, header: PREFIX + header.toLowerCase() }] : []),
    ...inside.flatMap(([key, child]) => mirroredIn(child, [...path, key])),
  ];
}

/** What the header should say of these arguments, before it is encoded; null when it should not be there. */
export function mirroredText(args: unknown, { path }: Mirrored): string | null {
  const value = path.reduce<unknown>((node, key) => (isRecord(node) ? node[key] : undefined), args);
  const isMirrorable = typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value);
  return isMirrorable ? String(value) : null;
}
