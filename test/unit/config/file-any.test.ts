// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written in these files
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigProblem } from "../../../shared/protocol/config.ts";
import { parseConfigFile } from "../../../sidecar/config/file/parse.ts";
import { ownRules } from "../../../sidecar/config/file/rules.ts";
import { toServerConfig } from "../../../sidecar/config/file/server.ts";

const EXAMPLE = readFileSync(new URL("../../../docs/config/mcp.example.json", import.meta.url), "utf8");

/** It is read or refused; either way, each place is one of the text. */
function read(text: string) {
  const parsed = parseConfigFile(text);
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const isInside = ({ line, column }: ConfigProblem) =>
    line >= 1 && column >= 1 && column <= (lines[line - 1]?.length ?? -1) + 1;
  expect((parsed.ok ? parsed.warnings : [parsed.problem]).filter((place) => !isInside(place))).toEqual([]);
  if (parsed.ok)
    for (const entry of parsed.entries) {
      const server = toServerConfig(entry, ownRules({}));
      if ("message" in server)
        expect(isInside({ message: "", ...parsed.placeOf(entry.name, server.path) })).toBe(true);
    }
  return parsed;
}

/** Texts that are nearly what they should be. */
const FRAGMENTS = [
  ...[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "'",
    "\\",
    "//",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\uFEFF",
    "\u0000",
    "\ud800",
  ],
  ...[
    "null",
    "true",
    "1e999",
    "-",
    "0x1",
    '"__proto__"',
    '"constructor"',
    '"mcpServers"',
    "${",
    "${A}",
    "$${",
  ],
  ...['"type"', '"sse"', '"port":', '"command"', "\uFFFD", '"a__b"'],
];
const mutated = fc
  .array(
    fc.record({
      at: fc.nat(EXAMPLE.length),
      taken: fc.nat(40),
      put: fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ maxLength: 5 }), fc.constant("")),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((edits) =>
    edits.reduce((text, { at, taken, put }) => text.slice(0, at) + put + text.slice(at + taken), EXAMPLE),
  );

/** Entries whose fields have the right names, and any values. */
const anyEntry = fc.dictionary(
  fc.constantFrom(
    ...["type", "command", "args", "env", "url", "headers", "host", "port", "container", "generic", "cache"],
    ...["pool", "profile", "allowedTools", "agentNames", "enabled", "disabled", "timeoutMs", "toString"],
  ),
  fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("stdio", "http", "demo", "generic", "${A}", "${A:-1}", "http://h", "ws://h", 9_500, true),
    fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constantFrom("${A}", "${A:-b}", "$${"))),
    fc.array(fc.constantFrom("a", "${A}", "*")),
  ),
);

describe("any text at all", () => {
  it("C1 is read or refused with a place in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => void read(text)),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...FRAGMENTS)), (parts) => void read(parts.join(""))),
      { numRuns: 1_000 },
    );
  });

  it("C1 is read or refused with a place in it when it is JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => void read(JSON.stringify(value))),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), anyEntry)), (mcpServers) => {
        read(JSON.stringify({ mcpServers }, null, 1));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(anyEntry, (entry) => void read(JSON.stringify({ mcpServers: { a: entry } }))),
      { numRuns: 2_000 },
    );
  });

  it("C1 is read or refused with a place in it when it was a good file once", () => {
    fc.assert(
      fc.property(mutated, (text) => void read(text)),
      { numRuns: 1_500 },
    );
  });

  it("C1 is never taken for a whole file while it is being written", () => {
    const whole = read(EXAMPLE);
    const end = EXAMPLE.trimEnd().length;
    for (let length = 0; length < end; length++) expect(read(EXAMPLE.slice(0, length)).ok).toBe(false);
    expect(read(EXAMPLE.slice(0, end))).toEqual({ ...whole, placeOf: expect.any(Function) });
  });

  it("S8 says nothing of any value in what it says is wrong", () => {
    // Every value is a secret here, and so is whatever a variable holds.
    const SECRET = "s3cr3t";
    const value = fc.constantFrom(
      SECRET,
      `${SECRET} \${A}`,
      [SECRET],
      { A: SECRET },
      `\${A}`,
      `\${${SECRET}`,
    );
    const entry = fc.dictionary(
      fc.constantFrom(
        "type",
        "command",
        "args",
        "env",
        "url",
        "headers",
        "host",
        "port",
        "profile",
        "pool",
        "category",
        "cache",
        "token",
        "container",
        "workdir",
        "description",
        "timeout",
        "unknown",
      ),
      value,
    );
    fc.assert(
      fc.property(entry, fc.constantFrom(SECRET, undefined), (one, A) => {
        const text = JSON.stringify({ mcpServers: { a: one } });
        const parsed = read(text);
        const told = parsed.ok
          ? [parsed.warnings, parsed.entries.map((made) => toServerConfig(made, ownRules({ A })))]
          : parsed.problem;
        const messages = JSON.stringify(told, (key, inner) =>
          key === "message" || typeof inner === "object" ? inner : null,
        );
        expect(messages).not.toContain(SECRET);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(mutated, (text) => {
        const parsed = parseConfigFile(text.replace(/(?<=": ")[^"$]+/g, SECRET));
        expect(JSON.stringify(parsed.ok ? parsed.warnings : parsed.problem)).not.toContain(SECRET);
      }),
      { numRuns: 500 },
    );
  });
});
