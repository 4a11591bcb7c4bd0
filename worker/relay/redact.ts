/**
 * Takes secrets out of a message's text. Nothing else of it changes, byte for byte: numbers, order and spaces stay
 * as they were written.
 */
import { isSecretName, maybeSecret, REDACTED, withoutSecretTexts } from "./secrets.ts";

/** A string, with the colon if it is a key; a bracket; or another scalar. */
const TOKEN = /"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}[\]]|[^\s"{}[\],:]+/gs;

/** How deep JSON is looked for in strings of JSON: tools answer so. Each level takes twice as many backslashes. */
const NESTED = 4;

/** `text` itself when there is no secret in it. What is not JSON is searched as plain text. */
export function redact(text: string): string {
  if (!maybeSecret(text)) return text;
  return isJson(text) ? redactJson(text, NESTED) : withoutSecretTexts(text);
}

/** An object or array that is open: the key that it is held by, and whether all that is in it is a secret. */
type Open = { key: string | null; isSecret: boolean };

function redactJson(json: string, nested: number): string {
  const open: Open[] = [{ key: null, isSecret: false }];
  let clean = "";
  let doneTo = 0;
  let key: string | null = null;
  for (const { 0: token, 1: content, 2: colon, index } of json.matchAll(TOKEN)) {
    const holder = open.at(-1);
    const isNamedSecret = key !== null && isSecretName(key);
    if (colon !== undefined) {
      key = String(JSON.parse(`"${content}"`));
      continue;
    }
    if (token === "{" || token === "[") {
      // A JSON schema has to say what its `token` is.
      const isSchema = holder?.key === "properties";
      open.push({ key, isSecret: holder?.isSecret === true || (isNamedSecret && !isSchema) });
    } else if (token === "}" || token === "]") {
      open.pop();
    } else {
      const isSecret = holder?.isSecret === true || isNamedSecret;
      const replacement = scalar(token, isSecret, nested);
      if (replacement !== token) {
        clean += json.slice(doneTo, index) + replacement;
        doneTo = index + token.length;
      }
    }
    key = null;
  }
  return doneTo === 0 ? json : clean + json.slice(doneTo);
}

/** `true`, `false` and `null` tell nothing. */
function scalar(token: string, isSecret: boolean, nested: number): string {
  const isString = token.startsWith('"');
  if (isSecret && (isString || /^[-\d]/.test(token))) return JSON.stringify(REDACTED);
  if (!isString) return token;
  const text = String(JSON.parse(token));
  const clean = nested > 0 && isJson(text) ? redactJson(text, nested - 1) : withoutSecretTexts(text);
  return clean === text ? token : JSON.stringify(clean);
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
