/** Secrets that are written out in a configuration: who reads it does not see them, and may give it back all the same. */
import { HivegateError } from "../../shared/errors.ts";
import { HIDDEN } from "../../shared/protocol/config.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Fields whose values are secrets, or objects of secrets by name. */
const SECRET = ["env", "headers", "token"];
/** Who gets the secrets: with another one of these they would go to somebody else. */
const RECEIVER = ["type", "url", "host", "port", "container", "command", "args"];
/** Names of variables, and nothing else. A default is written out too. */
const ONLY_VARIABLES = /^(?:\$\{(?:env:)?[A-Za-z_]\w*\})+$/;

/** With `***` in place of each secret. */
export const hideSecrets = (config: Fields): Record<string, unknown> =>
  eachSecret(config, (secret) =>
    typeof secret === "string" && ONLY_VARIABLES.test(secret) ? secret : HIDDEN,
  );

/**
 * With the secrets of `stored` in place of `***`.
 * @throws HivegateError `config_invalid` where there is none, or it would go to somebody else than before
 */
export function revealSecrets(config: Fields, stored: Fields | null): Record<string, unknown> {
  const isForTheSame = stored !== null && receiverOf(config) === receiverOf(stored);
  return eachSecret(config, (given, field, name) => {
    if (given !== HIDDEN) return given;
    const place = name === null ? field : `${field}.${name}`;
    const kept = secretIn(stored?.[field], name);
    if (kept === undefined)
      throw new HivegateError(
        "config_invalid",
        `${place}: ${HIDDEN} stands for a secret, and there is none.`,
      );
    if (!isForTheSame)
      throw new HivegateError(
        "config_invalid",
        `${place}: ${HIDDEN} keeps a secret only as long as it goes where it went. Give the secret itself.`,
      );
    return kept;
  });
}

const receiverOf = (config: Fields): string => canonicalJson(RECEIVER.map((field) => config[field] ?? null));

/** A field that holds something else than it should is taken for one secret. */
function eachSecret(
  config: Fields,
  change: (secret: unknown, field: string, name: string | null) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([field, value]) => {
      if (!SECRET.includes(field) || value === null) return [field, value];
      if (typeof value !== "object" || Array.isArray(value)) return [field, change(value, field, null)];
      const named = Object.entries(value).map(
        ([name, secret]) => [name, change(secret, field, name)] as const,
      );
      return [field, Object.fromEntries(named)];
    }),
  );
}

function secretIn(value: unknown, name: string | null): unknown {
  if (name === null) return typeof value === "object" ? undefined : value;
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
