import type { EntryProblem } from "./expand.ts";
import { otherName } from "./known-keys.ts";
import { type Kind, SHAPES } from "./schema.ts";

const OLD_SSE =
  "the transport sse is no longer supported: most servers that had it also speak http, often at /mcp instead of /sse";

const KINDS: ReadonlyMap<unknown, Kind> = new Map(
  (Object.keys(SHAPES) as Kind[]).flatMap((kind) =>
    SHAPES[kind].shape.type.unwrap().options.map((word) => [word, kind] as const),
  ),
);

/** How a server is reached: what `type` says, else what the other fields say. */
export function kindOf(entry: Readonly<Record<string, unknown>>): Kind | EntryProblem {
  const has = (field: string) => Object.hasOwn(entry, field);
  if (has("type")) return KINDS.get(entry.type) ?? unknownType(entry.type);
  if (has("command")) return has("container") ? "docker-exec" : "stdio";
  if (has("url")) return typeof entry.url === "string" && /^wss?:/i.test(entry.url) ? "ws" : "http";
  if (has("host") || has("port")) return "tcp";
  for (const key of Object.keys(entry)) {
    const advice = otherName(key, REACHED_BY);
    if (advice !== null && REACHED_BY.some((field) => advice.includes(`"${field}"`)))
      return { message: `expected ${EXPECTED}: ${advice}`, path: [key] };
  }
  return { message: `expected ${EXPECTED}`, path: [] };
}

const EXPECTED = "command, or url, or host and port";
const REACHED_BY: readonly string[] = ["command", "url", "host", "port"];

function unknownType(type: unknown): EntryProblem {
  const words = [...KINDS.keys()].join(", ");
  return { message: type === "sse" ? OLD_SSE : `expected one of ${words}`, path: ["type"] };
}
