import { z } from "zod";
import { type Pattern, patternOf } from "../../../shared/auth/pattern.ts";
import type { ToolEntry } from "../../../shared/protocol/tools.ts";
import { allowedBy } from "../client-view.ts";
import type { McpServerConfig } from "../server-config.ts";
import { categoryOf } from "./categories.ts";
import type { Tool } from "./listing.ts";

/** What is configured for a server beside how to reach it. */
export type ServerSettings = {
  /** Of all its tools; null leaves it to their names. */
  category: string | null;
  /** For how long its tools' answers may be kept, by the first pattern that fits the tool's name; false: not at all. */
  cacheTools: ReadonlyArray<readonly [tools: Pattern, ttlMs: number | false]>;
  /** The tools that are there for clients; null: all. */
  allowed: Pattern | null;
};

export const settingsOf = ({
  category,
  cache,
  ...config
}: Pick<McpServerConfig, "category" | "cache" | "allowedTools">): ServerSettings => ({
  category: category ?? null,
  allowed: allowedBy(config),
  cacheTools: Object.entries(cache?.tools ?? {}).map(([tools, ttlMs]) => [patternOf(tools), ttlMs] as const),
});

const text = z.string().nullable().catch(null);
const flag = z.boolean().nullable().catch(null);
const Described = z.object({
  title: text,
  description: text,
  annotations: z
    .object({ title: text, readOnlyHint: flag, idempotentHint: flag })
    .catch({ title: null, readOnlyHint: null, idempotentHint: null }),
});

/** What the registry says of a tool. Whatever its server says in another shape than the protocol's is unknown. */
export function toolEntryOf(tool: Tool, settings: ServerSettings): ToolEntry {
  const { title, description, annotations } = Described.parse(tool);
  const kept = settings.cacheTools.find(([tools]) => tools.fits(tool.name))?.[1];
  return {
    name: tool.name,
    title: title ?? annotations.title,
    description,
    category: settings.category ?? categoryOf(tool.name),
    readOnly: annotations.readOnlyHint,
    idempotent: annotations.idempotentHint,
    cacheable: kept === undefined ? null : kept !== false,
    cacheTtlMs: kept === undefined || kept === false ? null : kept,
  };
}
