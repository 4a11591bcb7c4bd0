/** The token: from the address bar or the sign-in form, kept for this tab only. */
const KEY = "hivegate.token";

export type Session = { token: string; hive: string; mayStart: boolean };

/** The token in `#token=…`, which is taken out of the address bar at once, or the one this tab has. */
export function initialToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return sessionStorage.getItem(KEY);
  history.replaceState(null, "", location.pathname + location.search);
  return token;
}

export const keepToken = (token: string): void => sessionStorage.setItem(KEY, token);
export const forgetToken = (): void => sessionStorage.removeItem(KEY);

/** What a token says of itself; null when it is no token at all. Only the gateway can tell if it is true. */
export function readToken(text: string): Session | null {
  const token = text.trim();
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token)?.[1];
  const claims = payload === undefined ? null : decode(payload);
  if (claims === null) return null;
  const [hive] = claims.hives.filter((name) => name !== "*");
  return { token, hive: hive ?? "default", mayStart: claims.permissions.includes("tasks:write") };
}

function decode(payload: string): { hives: string[]; permissions: string[] } | null {
  try {
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    if (typeof claims !== "object" || claims === null) return null;
    return {
      hives: "hives" in claims ? strings(claims.hives) : [],
      permissions: "permissions" in claims ? strings(claims.permissions) : [],
    };
  } catch {
    return null;
  }
}

const strings = (list: unknown): string[] =>
  Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
