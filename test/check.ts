/** `npm run check`: format and lint, types folder by folder, the arrows of the layout, dead code. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { z } from "zod";

const References = z.object({ references: z.array(z.object({ path: z.string() })) });
const { references } = References.parse(JSON.parse(readFileSync("tsconfig.json", "utf8")));

const steps = [
  ["biome", "check", "--error-on-warnings", "."],
  ...references.map(({ path }) => ["tsc", "-p", path]),
  ["deno", "check", "--quiet", "--cached-only", "shared", "worker"],
  ["vitest", "run", "--project", "unit", "test/unit/layout.test.ts"],
  ["knip", "--cache"],
];

let failed = 0;
for (const [command = "", ...args] of [["node", "worker/page/build.ts"], ...steps]) {
  const startMs = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${[command, ...args].join(" ")} (${seconds} s)`);
  if (status === 0) continue;
  failed++;
  console.log(stdout + stderr);
}
process.exit(failed > 0 ? 1 : 0);
