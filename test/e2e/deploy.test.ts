import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

it("U4 is bundled for Cloudflare as wrangler would deploy it", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "hivegate-deploy-"));
  const wrangler = join(ROOT, "node_modules/.bin/wrangler");
  const { stdout } = await promisify(execFile)(wrangler, ["deploy", "--dry-run", "--outdir", outdir], {
    cwd: ROOT,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  expect(stdout).toMatch(/env\.HIVE[\s\S]*env\.SHARD/);
  expect(await readdir(outdir)).toContain("index.js");
  await rm(outdir, { recursive: true });
});
