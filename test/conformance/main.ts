/**
 * `npm run conformance [-- --quick]`: the official MCP conformance suite against a server alone and behind the gateway, for both
 * revisions, both kinds of server and both hosts of the edge (`--quick`: workerd only). Nothing that passes alone may
 * fail behind. Ends with 1 when something does, or when a failure that is expected does not happen any more.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Contents, type Difference, differences, readContents } from "./contents.ts";
import { Expected, type Outcome, score, sortOut, type Worse, worseBehind } from "./outcome.ts";
import { REVISIONS, type Revision, runSuite } from "./suite.ts";
import { startTargets, type Target } from "./targets.ts";

type Found = { outcome: Outcome; contents: Contents };
type Row = { name: string; revision: Revision; outcome: Outcome; worse: Worse[]; different: Difference[] };

const ALONE = "alone";
const SHOWN_CHARS = 300;
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const expected = z
  .array(Expected)
  .parse(JSON.parse(await readFile(new URL("expected-failures.json", import.meta.url), "utf8")));

const look = async (url: string, revision: Revision): Promise<Found> => ({
  outcome: await runSuite(url, revision),
  contents: await readContents(url, revision),
});

const targets = await startTargets(values.quick ? ["workerd"] : ["workerd", "deno"]);
const rows: Row[] = [];
let failed = false;
try {
  // The two revisions at a time, and no more: the suite has its own time limits.
  for (const found of await Promise.all(REVISIONS.map(compare))) rows.push(...found);
} finally {
  await targets.stop();
}
for (const row of rows.toSorted((a, b) => a.name.localeCompare(b.name))) print(row);
console.log(
  failed ? "conformance: worse behind the gateway" : "conformance: as good behind the gateway as alone",
);
process.exit(failed ? 1 : 0);

async function compare(revision: Revision): Promise<Row[]> {
  const alone = await look(targets.alone, revision);
  const found: Row[] = [{ name: ALONE, revision, outcome: alone.outcome, worse: [], different: [] }];
  for (const target of targets.behind)
    if (target.revisions.includes(revision)) found.push(await compareOne(target, revision, alone));
  return found;
}

async function compareOne({ name, url }: Target, revision: Revision, alone: Found): Promise<Row> {
  const { outcome, contents } = await look(url, revision);
  const worse = worseBehind(alone.outcome, outcome);
  return { name, revision, outcome, worse, different: differences(alone.contents, contents, revision) };
}

function print({ name, revision, outcome, worse, different }: Row): void {
  const sorted = sortOut(worse, name === ALONE ? [] : expected.filter((one) => one.revision === revision));
  const { passed, of } = score(outcome);
  // What the reference server itself cannot do says nothing of the gateway: it has to be able to do all.
  const incomplete = name === ALONE && passed < of;
  const bad = sorted.unexpected.length + sorted.stale.length + different.length > 0 || of === 0 || incomplete;
  failed ||= bad;
  console.log(`${bad ? "FAILED" : "ok    "} ${revision} ${name.padEnd(20)} ${passed} of ${of} scenarios`);
  for (const one of sorted.unexpected)
    console.log(`         ${one.scenario} ${one.check}: ${one.alone} → ${one.behind} ${one.message}`);
  for (const one of sorted.stale) console.log(`         ${one.scenario} ${one.check}: passes now, unlist it`);
  for (const { what, ...both } of different)
    console.log(`         ${what}: ${shown(both.alone)} → ${shown(both.behind)}`);
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > SHOWN_CHARS ? `${json.slice(0, SHOWN_CHARS)}…` : json;
}
