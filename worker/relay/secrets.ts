/** What counts as a secret: fields by their name, and texts by their look. No expression here backtracks far. */

export const REDACTED = "[redacted]";

/** Names of fields, as words in lower case: `apiKey`, `api-key` and `API_KEY` are all `api key`. */
const SECRET_NAME = new RegExp(
  [
    "password|passwd|passphrase|pwd\\b|\\b(?:app|client|shared)?secrets?\\b",
    "\\b(?:credentials?|authorization|cookies?|jwt)\\b",
    "\\b(?:api|private|access|secret|signing|encryption|master|ssh) ?keys?\\b",
    // A token that opens something; not one that names a place in a list, a stream or a text.
    "(?<!\\b(?:progress|page|continuation|sync|resume|start|stop|end|next|cancel|eos|bos|pad) )\\b" +
      "(?:access|api|auth|bearer|client|id|refresh|session)?token$",
  ].join("|"),
);

/** What no name tells is told by its look, wherever in a text it is. */
const SECRET_TEXTS = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /(?<=\bauthorization["'\s]{0,2}[:=]["'\s]{0,2})(?:Bearer|Basic)\s+[\w.~+/-]{8,}=*/gi,
  // Ordinary words come after these two as well: "a basic calculator", "bearer authentication".
  /\b(?:Bearer|Basic)\s+(?=[A-Z_.~+/-]*[\d=])[\w.~+/-]{8,}=*/gi,
  /\bBearer\s+[\w.~+/-]{16,}/gi,
  /(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*/g,
  /(?<![\w-])sk-[\w-]{16,}/g,
  /\b(?:gh[pousr]_|github_pat_)\w{16,}/g,
  /(?<![\w-])glpat-[\w-]{16,}/g,
  /(?<![\w-])xox[abeoprs]-[\w-]{10,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bAIza[\w-]{35}/g,
  /(?<=(?:password|passwd|secret|token|api_?key|access_?key)=)[^\s"'&;]{4,}/gi,
];

/**
 * Whether a raw JSON text may hold any of those; it errs on the side of yes. In raw text a letter may hide in an
 * escape, and `\n` before a word looks like a letter of it.
 */
const SUSPICIOUS = new RegExp(
  [
    "passw(?:or)?d|passphrase|pwd|secret|credential|authorization|cookie|jwt|token\\W",
    "(?<=(?:api|private|access|signing|encryption|master|ssh)[\\s._-]*)key",
    "(?:bearer|basic)[\\s\\\\]|eyJ[\\w-]{6}|(?<=[^\\w-]|\\\\[bfnrt]|^)sk-[\\w-]{16}",
    "gh[pousr]_\\w{16}|github_pat_|glpat-|xox[abeoprs]-|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza",
    "\\\\u00[2-7]",
  ].join("|"),
  "i",
);

export const maybeSecret = (rawText: string): boolean => SUSPICIOUS.test(rawText);

export const isSecretName = (name: string): boolean => SECRET_NAME.test(words(name));

/** The text without the secrets that can be told by their look. */
export const withoutSecretTexts = (text: string): string =>
  SECRET_TEXTS.reduce((rest, look) => rest.replace(look, REDACTED), text);

const words = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[\s._-]+/g, " ")
    .toLowerCase();
