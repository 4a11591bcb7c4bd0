/** Runs the official conformance suite against one URL. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { Check, type Outcome } from "./outcome.ts";

export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof REVISIONS)[number];

/** Optional by the suite's own words, and the official SDK has no server for it. */
const WITHOUT = /^tasks-/;
/** `server-NAME-2026-11-21T20-47-49-755Z`, as the suite names the folder of a scenario. */
const FOLDER = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/;
const SUITE = new URL("dist/index.js", import.meta.resolve("@modelcontextprotocol/conformance/package.json"))
  .pathname;
const WITHIN_MS = 150_000;

/** All scenarios of the revision, those included that the suite runs and does not score. */
export async function runSuite(url: string, revision: Revision): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-conformance-"));
  try {
    const args = [SUITE, "server", "--url", url, "--requirements", revision, "--output-dir", dir];
    const child = spawn(process.execPath, args, { stdio: "ignore", timeout: WITHIN_MS });
    await once(child, "exit");
    return await readOutcome(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function readOutcome(dir: string): Promise<Outcome> {
  const outcome = new Map<string, Check[]>();
  for (const folder of await readdir(dir)) {
    const scenario = FOLDER.exec(folder)?.[1];
    if (scenario === undefined || WITHOUT.test(scenario)) continue;
    const json = await readFile(join(dir, folder, "checks.json"), "utf8");
    outcome.set(scenario, z.array(Check).parse(JSON.parse(json)));
  }
  return outcome;
}
