/** Secrets that are written out in a configuration: who reads it does not see them, and may give it back all the same. */
import { HivegateError } from "../../shared/errors.ts";
import { HIDDEN } from "../../shared/protocol/config.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import { kindOf } from "./file/kind.ts";
import { COMMON_FIELDS, type Kind, SHAPES } from "./file/schema.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Fields whose values are secrets, or objects of secrets by name. So is what means nothing here, and may be anything. */
const SECRET = ["env", "headers", "token"];
/** Names of variables, and nothing else. A default is written out too. */
const ONLY_VARIABLES = /^(?:\$\{(?:env:)?[A-Za-z_]\w*\})*$/;

/** With `***` in place of each secret. */
export function hideSecrets(config: Fields): Record<string, unknown> {
  const kind = kindIn(config);
  return mapFields(config, (value, field) => {
    if (field === "url" && isKnown(field, kind)) return typeof value === "string" ? hideInUrl(value) : HIDDEN;
    return maySecretsBe(field, kind) ? hideAll(value) : value;
  });
}

/**
 * With the secrets of `stored` in place of `***`. They go along only where nothing else changes of what is started or reached, and
 * how: with another variable or another folder a command may take them to somebody else, as with another address.
 * @throws HivegateError `config_invalid`
 */
export function revealSecrets(config: Fields, stored: Fields | null): Record<string, unknown> {
  const kind = kindIn(config);
  const shown = new Map(Object.entries(stored === null ? {} : hideSecrets(stored)));
  const kept = new Map(Object.entries(stored ?? {}));
  const isSamePlace = stored !== null && placeOf(config) === placeOf(Object.fromEntries(shown));
  return mapFields(config, (value, field) => {
    if (!(field === "url" || maySecretsBe(field, kind)) || !holdsHidden(value)) return value;
    const isKept = shown.has(field) && canonicalJson(value) === canonicalJson(shown.get(field));
    if (isKept && (isSamePlace || !isKnown(field, kind))) return kept.get(field);
    throw new HivegateError(
      "config_invalid",
      `${field}: ${HIDDEN} keeps a secret that is there, as long as nothing changes of where it goes. Give the secret itself.`,
    );
  });
}

const mapFields = (config: Fields, change: (value: unknown, field: string) => unknown) =>
  Object.fromEntries(Object.entries(config).map(([field, value]) => [field, change(value, field)]));

function kindIn(config: Fields): Kind | null {
  const kind = kindOf(config);
  return typeof kind === "string" ? kind : null;
}

const isKnown = (field: string, kind: Kind | null): boolean =>
  COMMON_FIELDS.includes(field) || (kind !== null && Object.hasOwn(SHAPES[kind].shape, field));

const maySecretsBe = (field: string, kind: Kind | null): boolean =>
  SECRET.includes(field) || !isKnown(field, kind);

/** What is started or reached, and how. What is empty says nothing, and `type` no more than the kind. */
function placeOf(config: Fields): string {
  const kind = kindIn(config);
  const fields = Object.entries(config).filter(
    ([field, value]) =>
      field !== "type" && isKnown(field, kind) && !COMMON_FIELDS.includes(field) && !isEmpty(value),
  );
  return canonicalJson([kind, Object.fromEntries(fields)]);
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** A field that holds something else than it should is taken for one secret. */
function hideAll(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return hide(value);
  return mapFields({ ...value }, hide);
}

const hide = (secret: unknown): unknown => {
  if (secret === null) return null;
  return typeof secret === "string" && ONLY_VARIABLES.test(secret) ? secret : HIDDEN;
};

const holdsHidden = (value: unknown): boolean => JSON.stringify(value).includes(HIDDEN);

/** Its user and password, and the values in its query. */
function hideInUrl(url: string): string {
  // A default may be a whole address, or any part of one.
  const places = url.match(/\$\{[^}]*/g) ?? [];
  if (places.some((place) => /[@?]/.test(place))) return HIDDEN;
  // As long as the address itself, with nothing in variables' names and defaults that is taken for a part of it.
  const plain = url.replaceAll(/\$\{[^}]*\}/g, (place) => "_".repeat(place.length));
  const [, before = "", user] = /^((?:[^:/\\?#]*:)?[/\\\s]*)([^/\\?#]*)@/.exec(plain) ?? [];
  const queryAt = plain.indexOf("?") + 1 || plain.length;
  const userEnd = before.length + (user?.length ?? 0);
  return [
    url.slice(0, before.length),
    hideParts(url.slice(before.length, userEnd), ":"),
    url.slice(userEnd, queryAt),
    hideParts(url.slice(queryAt), "&"),
  ].join("");
}

/** Of each part what is behind its name, if it has one. */
const hideParts = (text: string, separator: string): string =>
  text
    .split(separator)
    .map((part) => {
      const valueAt = separator === "&" ? part.indexOf("=") + 1 : 0;
      return `${part.slice(0, valueAt)}${hide(part.slice(valueAt))}`;
    })
    .join(separator);
