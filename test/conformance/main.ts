/**
 * `npm run conformance [-- --quick]`: the official MCP conformance suite against a server alone and behind the gateway, for both
 * revisions, both kinds of server and both hosts of the edge (`--quick`: workerd only). Nothing that passes alone may
 * fail behind. Ends with 1 when something does, or when a failure that is expected does not happen any more.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Contents, type Difference, differences, readContents } from "./contents.ts";
import { Expected, type Outcome, score, sortOut, worseBehind } from "./outcome.ts";
import { type Revision, runSuite } from "./suite.ts";
import { startAlone, startChain, type Targets } from "./targets.ts";

/** What one target does with one revision. */
type Run = { name: string; revision: Revision; outcome: Outcome; contents: Contents };

const SHOWN_CHARS = 300;
const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const expected = z
  .array(Expected)
  .parse(JSON.parse(await readFile(new URL("expected-failures.json", import.meta.url), "utf8")));

const alone = await runAll(startAlone());
// Two at a time and no more: the suite has its own time limits. Each edge has servers of its own, for what a server says on a
// pipe can be told apart only while it serves one client.
const edges = values.quick ? (["workerd"] as const) : (["workerd", "deno"] as const);
const behind = await Promise.all(edges.map((edge) => runAll(startChain(edge))));

const fine = [...alone.map(printAlone), ...behind.flat().map(printBehind)].every((ok) => ok);
console.log(`conformance: ${fine ? "as good behind the gateway as alone" : "worse behind the gateway"}`);
process.exit(fine ? 0 : 1);

async function runAll(starting: Promise<Targets>): Promise<Run[]> {
  const { targets, stop } = await starting;
  try {
    const runs: Run[] = [];
    for (const { name, url, revisions } of targets)
      for (const revision of revisions)
        runs.push({
          ...{ name, revision },
          outcome: await runSuite(url, revision),
          contents: await readContents(url, revision),
        });
    return runs;
  } finally {
    await stop();
  }
}

/** What the reference server itself cannot do would say nothing of the gateway: it has to be able to do all. */
function printAlone(run: Run): boolean {
  const { passed, of } = score(run.outcome);
  return printRun(run, passed === of && of > 0, []);
}

function printBehind(run: Run): boolean {
  const without = alone.find(({ revision }) => revision === run.revision);
  if (!without) throw new Error(`the suite was not run alone for ${run.revision}`);
  const listed = expected.filter(({ revision }) => revision === run.revision);
  const sorted = sortOut(worseBehind(without.outcome, run.outcome), listed);
  const different = differences(without.contents, run.contents, run.revision);
  const lines = [
    ...sorted.unexpected.map(
      (one) => `${one.scenario} ${one.check}: ${one.alone} → ${one.behind} ${one.message}`,
    ),
    ...sorted.stale.map((one) => `${one.scenario} ${one.check}: passes now, so unlist it`),
    ...different.map(describe),
  ];
  return printRun(run, lines.length === 0, lines);
}

function printRun({ name, revision, outcome }: Run, ok: boolean, lines: readonly string[]): boolean {
  const { passed, of } = score(outcome);
  console.log(`${ok ? "ok    " : "FAILED"} ${revision} ${name.padEnd(20)} ${passed} of ${of} scenarios`);
  for (const line of lines) console.log(`         ${line}`);
  return ok;
}

function describe({ what, alone, behind }: Difference): string {
  return `${what}: ${shown(alone)} → ${shown(behind)}`;
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > SHOWN_CHARS ? `${json.slice(0, SHOWN_CHARS)}…` : json;
}
