/** Messages of MCP straight to a sidecar, signed as the gateway signs them. */
import type { FetchLike } from "@modelcontextprotocol/client";
import { signedFetch, signedRequest } from "./sidecar.ts";

/** For the SDK's clients. */
export const signingFetch: FetchLike = async (url, init = {}) => {
  const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
  const headers = Object.fromEntries(new Headers(init.headers));
  const request = await signedRequest(String(url), { method: init.method ?? "GET", body, headers });
  return fetch(request, { signal: init.signal ?? null });
};

/** One request in the words of 2026. `name`: of the tool, the prompt or the resource that it is about. */
export const modernFetch = (
  url: string,
  { method, name, params = {} }: { method: string; name: string; params?: Record<string, unknown> },
): Promise<Response> =>
  signedFetch(url, {
    headers: {
      ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
      ...{ "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": name },
    },
    body: { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: ENVELOPE } },
  });

const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
