/**
 * From which pages the gateway may be asked, and by which names. A page whose own name was made to lead here (DNS
 * rebinding) is of the same origin as the gateway, as browsers see it: what gives it away is that it has a name, and no
 * certificate for it.
 */
import { HivegateError } from "../../shared/errors.ts";

export type OriginSettings = {
  allowedOrigins: readonly string[];
  allowedHosts: readonly string[] | null;
  publicUrl: string | null;
};

/**
 * The origin to name in the answer, for scripts that may read it; null where the client is no page.
 * @throws HivegateError `origin_not_allowed`
 */
export function checkOrigin(request: Request, settings: OriginSettings): string | null {
  const origin = request.headers.get("origin");
  // Most clients are no page: to take an address apart costs as much as to find an answer in the cache.
  if (origin === null && settings.allowedHosts === null) return null;
  const { host } = new URL(request.url);
  if (settings.allowedHosts && !isKnownHost(host, settings)) throw new HivegateError("origin_not_allowed");
  if (origin === null) return null;
  if (!isAllowed(origin, host, settings)) throw new HivegateError("origin_not_allowed");
  return origin;
}

function isAllowed(origin: string, host: string, settings: OriginSettings): boolean {
  if (settings.allowedOrigins.includes("*") || settings.allowedOrigins.includes(origin)) return true;
  if (origin === settings.publicUrl) return true;
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  if (page.host !== host) return false;
  return page.protocol === "https:" || isOwnName(page.hostname) || isKnownHost(host, settings);
}

const isKnownHost = (host: string, { allowedHosts, publicUrl }: OriginSettings): boolean =>
  (allowedHosts?.includes(host) ?? false) || (publicUrl !== null && new URL(publicUrl).host === host);

/** Names that nobody else can make lead here. */
const isOwnName = (hostname: string): boolean =>
  /^(?:localhost|.+\.localhost|[\d.]+|\[[0-9a-f:.]+\])$/.test(hostname);

const EXPOSED = [
  "mcp-session-id",
  "mcp-protocol-version",
  "www-authenticate",
  "retry-after",
  "hivegate-cache",
  "age",
];

/** What lets a page's script read the answer. */
export const corsHeaders = (origin: string): Record<string, string> => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": EXPOSED.join(", "),
  vary: "origin",
});

/** The answer to a browser that asks whether it may send a request. */
export function preflight(request: Request, origin: string): Response {
  const wanted = request.headers.get("access-control-request-headers");
  return new Response(null, {
    status: 204,
    headers: {
      ...corsHeaders(origin),
      "access-control-allow-methods": "POST, GET, DELETE",
      ...(wanted !== null && { "access-control-allow-headers": wanted }),
      "access-control-max-age": "600",
    },
  });
}
