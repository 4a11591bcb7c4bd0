/**
 * Takes secrets out of a message's text. Nothing else of it changes, byte for byte: numbers, order and spaces stay
 * as they were written.
 */
import { isSecretName, maybeSecret, REDACTED, withoutSecretTexts } from "./secrets.ts";

/** A string, with the colon if it is a key; a bracket; another scalar; or a quote that nothing closes. */
const TOKEN = /"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}[\]]|[^\s"{}[\],:]+|"/gs;
const SCALAR = /^(?:-?\d[\d.eE+-]*|true|false|null)$/;
const ESCAPE = /\\(?:u([\da-f]{4})|(.))/gis;
const CONTROL: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
/** A field somewhere in a text that is no JSON as a whole. Its name is limited: whatever comes, this is linear. */
const FIELD = /("([^"\\]{1,100})"\s*:\s*)(?:"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d[^\s,}\]]*)/gs;

/** How deep JSON is looked for in strings of JSON: tools answer so. Each level takes twice as many backslashes. */
const NESTED = 4;

/** A message is told by these, and an answer found by its id: they stay, whatever they look like. */
const ENVELOPE = new Set(["jsonrpc", "id", "method"]);

/** `text` itself when there is no secret in it. What is not JSON is searched as plain text. */
export function redact(text: string): string {
  if (!maybeSecret(text)) return text;
  // The messages of a batch lie one deeper.
  return redactText(text, NESTED, /^\s*\[/.test(text) ? 2 : 1);
}

function redactText(text: string, nested: number, envelopeDepth: number): string {
  const isMaybeJson = nested >= 0 && /^\s*[{[]/.test(text);
  return (isMaybeJson ? redactJson(text, nested, envelopeDepth) : null) ?? redactPlain(text);
}

const redactPlain = (text: string): string =>
  withoutSecretTexts(text).replace(FIELD, (field, head: string, name: string) =>
    isSecretName(name) ? head + JSON.stringify(REDACTED) : field,
  );

/**
 * Null: it is no JSON, as far as is seen here. It is told by its tokens alone: to have `JSON.parse` throw for each of
 * a million strings would take seconds.
 */
function redactJson(json: string, nested: number, envelopeDepth: number): string | null {
  /** The keys by which the open objects and arrays are held. */
  const open: (string | null)[] = [];
  let clean = "";
  let doneTo = 0;
  let key: string | null = null;
  /** How many were open where the secret began that is being left out. */
  let secretDepth: number | null = null;
  const replace = (start: number, end: number, by: string) => {
    clean += json.slice(doneTo, start) + by;
    doneTo = end;
  };
  for (const { 0: token, 1: content, 2: colon, index } of json.matchAll(TOKEN)) {
    if (content !== undefined && colon !== undefined) {
      key = unescaped(content);
      continue;
    }
    // A JSON schema has to say what its `token` is.
    const isSecret: boolean = secretDepth === null && key !== null && isSecretName(key);
    if (token === "{" || token === "[") {
      if (isSecret && open.at(-1) !== "properties") {
        replace(index, index, JSON.stringify(REDACTED));
        secretDepth = open.length;
      }
      open.push(key);
    } else if (token === "}" || token === "]") {
      if (open.length === 0) return null;
      open.pop();
      if (open.length === secretDepth) {
        doneTo = index + 1;
        secretDepth = null;
      }
    } else {
      if (content === undefined && !SCALAR.test(token)) return null;
      const isKept = open.length === envelopeDepth && key !== null && ENVELOPE.has(key);
      if (secretDepth === null && !isKept) {
        const by = scalar(token, content, isSecret, nested);
        if (by !== token) replace(index, index + token.length, by);
      }
    }
    key = null;
  }
  if (open.length > 0) return null;
  return doneTo === 0 ? json : clean + json.slice(doneTo);
}

/** `content`: of a string. `true`, `false` and `null` tell nothing. */
function scalar(token: string, content: string | undefined, isSecret: boolean, nested: number): string {
  if (isSecret && (content !== undefined || /^[-\d]/.test(token))) return JSON.stringify(REDACTED);
  if (content === undefined || !maybeSecret(token)) return token;
  const text = unescaped(content);
  const clean = redactText(text, nested - 1, 0);
  return clean === text ? token : JSON.stringify(clean);
}

/** What stands in quotes, also where it is no JSON. */
const unescaped = (content: string): string =>
  content.includes("\\")
    ? content.replace(ESCAPE, (_, code: string | undefined, letter: string) =>
        code === undefined ? (CONTROL[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16)),
      )
    : content;
