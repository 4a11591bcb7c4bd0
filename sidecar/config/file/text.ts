/** Reads JSON with comments, trailing commas and a byte order mark, and knows where in the text everything is. */
import { createScanner, findNodeAtLocation, type Node, parseTree, printParseErrorCode } from "jsonc-parser";
import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigProblem } from "../../../shared/protocol/config.ts";

export type Path = readonly PropertyKey[];
export type Place = { line: number; column: number };

/** A text that is JSON. Objects in `value` have no key that is there twice or that is `__proto__`. */
export type JsonText = {
  value: unknown;
  /** Where the value at `path` is, or what is nearest to it; with `key`, where its name is. */
  placeOf(path: Path, of?: "value" | "key"): Place;
};

/** Something in the text is wrong, `offset` UTF-16 units after its beginning. Nothing of the text is in the message. */
class Wrong extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const BYTE_ORDER_MARK = "\uFEFF";

/** Never throws, whatever the text. */
export function readJsonText(withMark: string): JsonText | ConfigProblem {
  const text = withMark.startsWith(BYTE_ORDER_MARK) ? withMark.slice(1) : withMark;
  try {
    checkText(text);
    const value = valueIn(parsed(text));
    // Seldom needed, and far larger than the text.
    let tree: { root: Node; lines: number[] } | null = null;
    return {
      value,
      placeOf(path, of) {
        tree ??= { root: parsed(text), lines: lineStarts(text) };
        return placeAt(tree.lines, offsetOf(tree.root, path, of));
      },
    };
  } catch (thrown) {
    if (!(thrown instanceof Wrong)) throw thrown;
    return { message: thrown.message, ...placeAt(lineStarts(text), thrown.offset) };
  }
}

function checkText(text: string): void {
  if (Buffer.byteLength(text) > LIMITS.configFileBytes)
    throw new Wrong(`expected at most ${LIMITS.configFileBytes} bytes`, 0);
  // What stands for bytes that are no UTF-8. Whoever means the character itself can write \ufffd.
  const garbled = text.indexOf("\uFFFD");
  if (garbled >= 0) throw new Wrong("expected UTF-8", garbled);
  const deep = tooDeep(text);
  if (deep !== null) throw new Wrong(`expected at most ${LIMITS.jsonDepth} levels`, deep);
}

/** Where it is nested deeper than a parser that calls itself may go. */
function tooDeep(text: string): number | null {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (;;) {
    scanner.scan();
    const offset = scanner.getTokenOffset();
    if (offset >= text.length) return null;
    const token = text[offset];
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (depth > LIMITS.jsonDepth) return offset;
  }
}

/** What the parser's own words for mistakes mean to whoever wrote the text. */
const EXPECTED: Record<string, string> = {
  InvalidSymbol: "expected JSON: a text in double quotes, a number, true, false, null, { or [",
  InvalidNumberFormat: "expected a number as JSON has it",
  PropertyNameExpected: "expected a name in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon",
  CommaExpected: "expected a comma",
  CloseBraceExpected: "expected a closing brace",
  CloseBracketExpected: "expected a closing bracket",
  EndOfFileExpected: "expected nothing more",
  InvalidCommentToken: "expected no comment here",
  UnexpectedEndOfComment: "expected the comment to end",
  UnexpectedEndOfString: "expected a closing double quote",
  UnexpectedEndOfNumber: "expected more digits",
  InvalidUnicode: "expected four hexadecimal digits behind \\u",
  InvalidEscapeCharacter: 'expected one of " \\ / b f n r t u behind a backslash',
  InvalidCharacter: "expected control characters to be written as \\u and four digits",
};

function parsed(text: string): Node {
  const errors: { error: number; offset: number; length: number }[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors.toSorted((a, b) => a.offset - b.offset);
  if (first)
    throw new Wrong(
      EXPECTED[printParseErrorCode(first.error)] ?? "expected JSON",
      Math.min(first.offset, text.length),
    );
  if (!root) throw new Wrong("expected JSON", 0);
  return root;
}

function valueIn(node: Node): unknown {
  const children = node.children ?? [];
  if (node.type === "array") return children.map(valueIn);
  if (node.type === "object") return objectOf(children);
  const value: unknown = node.value;
  if (typeof value === "number" && !Number.isFinite(value))
    throw new Wrong("expected a smaller number", node.offset);
  if (typeof value === "string" && !value.isWellFormed())
    throw new Wrong("expected whole characters, not half of one", node.offset);
  return value;
}

function objectOf(properties: readonly Node[]): Record<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const { children: [key, value] = [] } of properties) {
    if (!key || !value) continue;
    const name = String(valueIn(key));
    if (entries.has(name)) throw new Wrong("this name is there twice", key.offset);
    // In JavaScript it is no key as others are.
    if (name === "__proto__") throw new Wrong("expected another name", key.offset);
    entries.set(name, valueIn(value));
  }
  return Object.fromEntries(entries);
}

function offsetOf(root: Node, path: Path, of: "value" | "key" = "value"): number {
  const steps = path.filter((step) => typeof step !== "symbol");
  for (let length = steps.length; length > 0; length--) {
    const node = findNodeAtLocation(root, steps.slice(0, length));
    if (!node) continue;
    const key = length === steps.length && of === "key" ? node.parent?.children?.[0] : node;
    return (key ?? node).offset;
  }
  return root.offset;
}

/** For editors: lines end as in JSON with comments, at LF, CR LF or CR. */
const lineStarts = (text: string): number[] => [
  0,
  ...Array.from(text.matchAll(/\r\n|\n|\r/g), (end) => end.index + end[0].length),
];

function placeAt(lines: readonly number[], offset: number): Place {
  // The line is one of those from `low` on, before `high`: a file may have many, and many warnings.
  let [low, high] = [0, lines.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 };
}
