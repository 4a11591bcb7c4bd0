/**
 * Arguments that a tool wants to see in headers too (`x-mcp-header` in its input's schema), for what is between us and
 * the server. A server of 2026 refuses a call without them.
 */
import { isRecord } from "../record.ts";

type Mirrored = { path: readonly string[]; header: string };

const PREFIX = "mcp-param-";
const HEADER_NAME = /^[!#$%&'*+.^`|~\w-]+$/;
const MIRRORABLE = new Set<unknown>(["string", "integer", "boolean"]);
/** Arguments that lie deeper are in no header. */
const MOST_DEPTH = 8;
/** What needs no encoding: visible ASCII, and spaces and tabs that are not at an end. */
const PLAIN = /^[!-~]([\t -~]*[!-~])?$/;
const ENCODED = /^=\?base64\?.*\?=$/;

export class ParamHeaders {
  /** By the tools' names: of the tools that want none nothing is remembered. */
  readonly #mirrored = new Map<string, Mirrored[]>();

  /** Reads the answers to `tools/list`. */
  learn(message: unknown): void {
    const result = isRecord(message) && isRecord(message.result) ? message.result : {};
    if (!Array.isArray(result.tools)) return;
    for (const tool of result.tools) {
      if (!isRecord(tool) || typeof tool.name !== "string") continue;
      const mirrored = mirroredIn(tool.inputSchema);
      if (mirrored.length > 0) this.#mirrored.set(tool.name, mirrored);
      else this.#mirrored.delete(tool.name);
    }
  }

  /** `params` of a `tools/call`. */
  headersFor({ name, arguments: args }: Record<string, unknown>): Record<string, string> {
    const mirrored = typeof name === "string" ? this.#mirrored.get(name) : undefined;
    const headers: Record<string, string> = {};
    for (const { path, header } of mirrored ?? []) {
      const value = path.reduce<unknown>((node, key) => (isRecord(node) ? node[key] : undefined), args);
      if (isMirrorable(value)) headers[PREFIX + header] = encoded(String(value));
    }
    return headers;
  }
}

function mirroredIn(schema: unknown, path: readonly string[] = []): Mirrored[] {
  if (!isRecord(schema) || path.length > MOST_DEPTH) return [];
  const { type, properties, "x-mcp-header": header } = schema;
  const isNamed = typeof header === "string" && HEADER_NAME.test(header) && MIRRORABLE.has(type);
  const inside = isRecord(properties) ? Object.entries(properties) : [];
  return [
    ...(isNamed ? [{ path, header: header.toLowerCase() }] : []),
    ...inside.flatMap(([key, child]) => mirroredIn(child, [...path, key])),
  ];
}

const isMirrorable = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value);

const encoded = (value: string): string =>
  PLAIN.test(value) && !ENCODED.test(value) ? value : `=?base64?${Buffer.from(value).toString("base64")}?=`;
