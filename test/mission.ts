/**
 * `npm run mission`: every promise of docs/SPEC.md with the tests that name it. Fails when a promise that
 * the specification claims (a heading `### H1 …`) has no test.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const spec = readFileSync("docs/SPEC.md", "utf8");
const claimed = new Set([...spec.matchAll(/^### ([A-Z]\d+)\b/gm)].map(([, id]) => id));
const promised = [...spec.matchAll(/^(?:### |- )([HSRTCUQ]\d+) (.*)$/gm)].map(([, id = "", text = ""]) => ({
  id,
  text,
}));

const tests = new Map<string, string[]>();
for (const file of readdirSync("test", { recursive: true, encoding: "utf8" })) {
  if (!file.endsWith(".test.ts")) continue;
  const source = readFileSync(join("test", file), "utf8");
  for (const [, title = ""] of source.matchAll(/\bit(?:\.\w+(?:\([^)]*\))?)?\(\s*["'`]([^"'`]+)/g)) {
    for (const [id] of title.matchAll(/\b[HSRTCUQ]\d+\b/g)) {
      tests.set(id, [...(tests.get(id) ?? []), `${file}: ${title}`]);
    }
  }
}

let missing = 0;
for (const { id, text } of promised) {
  const named = tests.get(id) ?? [];
  const isMissing = claimed.has(id) && named.length === 0;
  if (isMissing) missing++;
  const state = isMissing ? "CLAIMED, NO TEST" : claimed.has(id) ? "kept" : named.length ? "begun" : "open";
  console.log(`${id.padEnd(4)}${state.padEnd(8)}${text}`);
  for (const title of named) console.log(`      ${title}`);
}
console.log(`${promised.length} promises, ${claimed.size} kept, ${missing} without a test`);
process.exit(missing > 0 ? 1 : 0);
