/** What may be kept of MCP servers' answers, and for how long. */
import { LIMITS } from "../../shared/limits.ts";
import type { ToolEntry } from "../../shared/protocol/tools.ts";

/** Which requests these rules are asked about. `tool` is null for what is none, `era` for one that is not known. */
export type Target = { method: string; tool: ToolEntry | null; era: "2025" | "2026" | null };

/** `always`: what does not fail may be kept, and equal requests be joined; `if-said`: only where the answer says so itself. */
export type Keeping = "never" | "if-said" | "always";

/** What is known before the answer is there: configuration first, then the server's hints. */
export function keepingOf({ method, tool, era }: Target): Keeping {
  const own: Keeping = era === "2025" ? "never" : "if-said";
  if (method !== "tools/call") return own;
  if (!tool || tool.cacheable === false) return "never";
  if (tool.cacheable === true || tool.readOnly === true) return "always";
  return tool.readOnly === false ? "never" : own;
}

/** `shared`: for every client that may ask. */
export type Lifetime = { ttlMs: number; shared: boolean };

/** How long a result may be given again; null: not at all. */
export function lifetimeOf(target: Target, result: Readonly<Record<string, unknown>>): Lifetime | null {
  const keeping = keepingOf(target);
  const { isError, resultType = "complete", ttlMs: saidMs, cacheScope } = result;
  if (keeping === "never" || isError === true || resultType !== "complete") return null;
  const ownMs = typeof saidMs === "number" ? saidMs : keeping === "always" ? LIMITS.cachedAnswerMs : 0;
  const ttlMs = Math.min(configuredMs(target.tool) ?? ownMs, LIMITS.longestCachedAnswerMs);
  return ttlMs > 0 ? { ttlMs, shared: cacheScope === "public" } : null;
}

const configuredMs = (tool: ToolEntry | null): number | null =>
  tool?.cacheable === true ? tool.cacheTtlMs : null;
