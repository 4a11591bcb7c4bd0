/**
 * The headers in which a request of 2026-07-28 repeats what its body says, so that who stands between need not read it.
 * The gateway decides by the body, and refuses a request whose headers say something else.
 */
import { HivegateError } from "../../shared/errors.ts";
import { type McpMessage, subjectOf } from "./message.ts";

export const REVISION = "2026-07-28";
const META = "io.modelcontextprotocol/";
const VERSION_KEY = `${META}protocolVersion`;

/** What a request of 2026 says of its client in every message. */
export const envelopeOf = (clientInfo: { name: string; version: string }) => ({
  [VERSION_KEY]: REVISION,
  [`${META}clientInfo`]: clientInfo,
  [`${META}clientCapabilities`]: {},
});

/** The revision that a message itself names; null: it is of 2025. */
export function versionIn(params: Readonly<Record<string, unknown>>): string | null {
  const { _meta: meta } = params;
  if (typeof meta !== "object" || meta === null || !(VERSION_KEY in meta)) return null;
  return typeof meta[VERSION_KEY] === "string" ? meta[VERSION_KEY] : null;
}

/**
 * The revision that a message is in: its own word, in 2025 the header's; null where that is not known.
 * @throws HivegateError `header_mismatch`
 */
export function agreedVersion({ kind, method, params }: McpMessage, headers: Headers): string | null {
  const said = headers.get("mcp-protocol-version");
  const version = versionIn(params);
  if (version === null) return said !== null && said < REVISION ? said : null;
  agree("MCP-Protocol-Version", said, version);
  if (kind !== "request") return version;
  agree("Mcp-Method", headers.get("mcp-method"), method);
  const name = subjectOf(method, params);
  if (name !== null) agree("Mcp-Name", decoded(headers.get("mcp-name")), name);
  return version;
}

function agree(header: string, said: string | null, meant: string): void {
  if (said === null) throw new HivegateError("header_mismatch", `Send the header ${header}.`);
  if (said !== meant)
    throw new HivegateError("header_mismatch", `The header ${header} and the body do not say the same.`);
}

const CODED = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;
const PLAIN = /^(?!=\?base64\?)[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** What no header can hold is written in base64. */
export function encoded(name: string): string {
  if (PLAIN.test(name)) return name;
  const bytes = new TextEncoder().encode(name);
  return `=?base64?${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}?=`;
}

function decoded(header: string | null): string | null {
  const coded = header === null ? null : CODED.exec(header)?.[1];
  if (coded === null || coded === undefined) return header;
  const bytes = Uint8Array.from(atob(coded), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
