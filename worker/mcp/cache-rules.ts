/** What may be kept of MCP servers' answers, and for how long. */
import { LIMITS } from "../../shared/limits.ts";
import type { ToolEntry } from "../../shared/protocol/tools.ts";

/** Requests whose answers may be kept at all, and the field of `params` that says of what. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/** The name that a request is about; null: its answer is never kept. */
export function subjectOf(method: string, params: Readonly<Record<string, unknown>>): string | null {
  const field = NAMED_BY[method];
  const name = field === undefined ? undefined : params[field];
  return typeof name === "string" ? name : null;
}

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
