import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPlan, checkSource } from "./check.ts";
import { Ground } from "./ground.ts";
import { countsOf, type MigrationPorts, type PlanResult } from "./ports.ts";

/** What a migration would do. @throws MigrationRefused for what would keep it from that */
export async function dryRun(
  stateDir: string,
  ports: Pick<MigrationPorts, "openSource" | "openTarget" | "env" | "progress">,
): Promise<PlanResult> {
  const source = await ports.openSource({ readOnly: true });
  const scratch = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  try {
    await ports.progress("check", 0, 2);
    const held = await checkSource(source);
    await ports.progress("check", 1, 2);
    const store = join(scratch, "configs.db");
    await new Ground(stateDir).copyStore(store);
    const target = ports.openTarget(store);
    try {
      const found = checkPlan(held.entries, target.list(), ports.env);
      await ports.progress("check", 2, 2);
      const names = found.added.map(({ name }) => name);
      return { result: "planned", added_names: names, ...countsOf(source, found, held) };
    } finally {
      target.close();
    }
  } finally {
    rmSync(scratch, { recursive: true });
    await source.close();
  }
}
