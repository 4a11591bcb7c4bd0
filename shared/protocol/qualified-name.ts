import { QUALIFIER } from "./tools.ts";

/** What a tool, or a prompt, of one server is called among those of all servers. */
export const qualifiedName = (server: string, name: string): string => `${server}${QUALIFIER}${name}`;

/**
 * The two parts of a qualified name; null when it is none. What comes before the first `__` is the server: a server's name
 * neither holds that nor ends in `_`, while a tool's own name may do as it likes.
 */
export function splitQualifiedName(qualified: string): { server: string; name: string } | null {
  const at = qualified.indexOf(QUALIFIER);
  if (at <= 0) return null;
  const name = qualified.slice(at + QUALIFIER.length);
  return name === "" ? null : { server: qualified.slice(0, at), name };
}
