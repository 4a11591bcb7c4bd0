import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPlan, checkSource } from "./check.ts";
import { Ground } from "./ground.ts";
import { countsOf, type MigrationOptions, type MigrationPorts, type PlanResult } from "./ports.ts";
import { checkRoom } from "./room.ts";

/** What a migration would do. @throws MigrationRefused for what would keep it from that */
export async function dryRun(
  options: Pick<MigrationOptions, "stateDir" | "backupDir">,
  ports: Pick<MigrationPorts, "openSource" | "openTarget" | "env" | "progress">,
): Promise<PlanResult> {
  const source = await ports.openSource({ readOnly: true });
  const scratch = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  try {
    await ports.progress("check", 0, 2);
    const held = await checkSource(source);
    await ports.progress("check", 1, 2);
    const store = join(scratch, "configs.db");
    const ground = new Ground(options.stateDir);
    await ground.copyStore(store);
    const target = ports.openTarget(store);
    try {
      const found = checkPlan(held.entries, target.list(), ports.env);
      if (found.added.length > 0) checkRoom(ground, source, held.entries, options.backupDir);
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
