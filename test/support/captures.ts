/** What CLIs really printed, as it was taken down: one JSON object a line. `rc` is null where one had to be killed. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { CommandResult } from "../../sidecar/swarm/executor.ts";

const Capture = z.object({
  argv: z.array(z.string()),
  rc: z.number().nullable(),
  stdout: z.string(),
  stderr: z.string(),
});

/** The results of `name` whose arguments begin like these, in order. @throws Error when there is none */
export function captured(name: string, ...argv: string[]): [CommandResult, ...CommandResult[]] {
  const text = readFileSync(new URL(`captures/${name}.jsonl`, import.meta.url), "utf8");
  const [first, ...others] = text
    .trimEnd()
    .split("\n")
    .map((line) => Capture.parse(JSON.parse(line)))
    .filter((capture) => argv.every((part, index) => capture.argv[index] === part))
    .map(({ rc, stdout, stderr }) => ({ exitCode: rc, stdout, stderr, ended: null }));
  if (!first) throw new Error(`nothing of ${argv.join(" ")} is captured`);
  return [first, ...others];
}
