/** How clients find out what token is needed: RFC 9728, RFC 6750. */
import type { HivegateError } from "../../shared/errors.ts";
import type { McpSettings } from "./settings.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const SCOPES = ["tools:call", "resources:read", "prompts:get"];

type Settings = Pick<McpSettings, "publicUrl" | "authorizationServers">;

const originOf = (url: URL, { publicUrl }: Settings): string => publicUrl ?? url.origin;

/** What is at the endpoint whose path comes behind the well-known one. */
export function resourceMetadata(url: URL, settings: Settings): Record<string, unknown> {
  const path = url.pathname.slice(WELL_KNOWN.length) || "/mcp";
  return {
    resource: originOf(url, settings) + path,
    ...(settings.authorizationServers.length > 0 && {
      authorization_servers: settings.authorizationServers,
    }),
    scopes_supported: SCOPES,
    bearer_methods_supported: ["header"],
    resource_name: "Hivegate",
  };
}

/** `WWW-Authenticate` of a refusal; null where a token would change nothing. */
export function challenge(error: HivegateError, request: Request, settings: Settings): string | null {
  const reason = reasonOf(error, request);
  if (reason === null) return null;
  const url = new URL(request.url);
  const metadata = `${originOf(url, settings)}${WELL_KNOWN}${url.pathname}`;
  return `Bearer ${reason}resource_metadata="${metadata}", scope="${SCOPES.join(" ")}"`;
}

function reasonOf({ code, httpStatus }: HivegateError, request: Request): string | null {
  if (code === "forbidden") return 'error="insufficient_scope", ';
  if (httpStatus !== 401) return null;
  return request.headers.has("authorization") ? 'error="invalid_token", ' : "";
}

/** Where that is: behind it comes the path of an endpoint, if it is not `/mcp`. */
export const METADATA_PATHS = [WELL_KNOWN, `${WELL_KNOWN}/mcp`, `${WELL_KNOWN}/mcp/:server`].concat([
  `${WELL_KNOWN}/v1/hives/:hive/mcp`,
  `${WELL_KNOWN}/v1/hives/:hive/mcp/:server`,
]);
