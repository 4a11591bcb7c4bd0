/** The cache's side of an HTTP answer. */
import { LIMITS } from "../../shared/limits.ts";
import { JOINED_HEADER, REGISTRY_HEADER } from "../../shared/protocol/tools.ts";
import type { Hit, Miss } from "./cache.ts";

/** `hit; age=12` (seconds), `miss` or `joined`; absent where the cache has nothing to do with a request. */
export const CACHE_HEADER = "hivegate-cache";

/** @param id the asker's, as JSON text */
export function hitResponse({ result, ageMs }: Hit, id: string): Response {
  const age = String(Math.floor(ageMs / 1000));
  return new Response(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, {
    headers: { "content-type": "application/json", [CACHE_HEADER]: `hit; age=${age}`, age },
  });
}

/**
 * The sidecar's answer, marked, and kept if it may be. An answer that streams passes through as it comes: something
 * came before its result, so it is not kept.
 */
export async function missResponse(miss: Miss, response: Response): Promise<Response> {
  const joined = response.headers.has(JOINED_HEADER);
  const headers = new Headers(response.headers);
  headers.set(CACHE_HEADER, joined ? "joined" : "miss");
  const { status } = response;
  if (!isShortJson(response)) return new Response(response.body, { status, headers });
  const text = await response.text();
  const result = resultIn(text);
  if (result) miss.keep(result, { registry: headers.get(REGISTRY_HEADER), joined });
  headers.delete("content-length");
  return new Response(text, { status, headers });
}

function isShortJson({ status, headers }: Response): boolean {
  const bytes = Number(headers.get("content-length") ?? Number.NaN);
  const type = headers.get("content-type") ?? "";
  return status === 200 && type.startsWith("application/json") && bytes <= LIMITS.cachedAnswerBytes;
}

function resultIn(text: string): Record<string, unknown> | null {
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== "object" || answer === null || !("result" in answer)) return null;
  const { result } = answer;
  return typeof result === "object" && result !== null ? { ...result } : null;
}
