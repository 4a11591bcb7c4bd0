import { LIMITS } from "../../../shared/limits.ts";
import { within } from "../within.ts";

/**
 * Ends a server's process as the protocol wants it: it hears the end of its input, and gets time to clean up before
 * `end` ends it and whatever it started. `exited` resolves when it is gone. Never rejects.
 */
export async function endProcess(process: {
  endInput(): void;
  exited: Promise<unknown>;
  end(graceMs: number): Promise<unknown>;
}): Promise<void> {
  process.endInput();
  await within(process.exited, LIMITS.mcpEndGraceMs, () => new Error("it goes on")).catch(() => {});
  await process.end(LIMITS.mcpEndGraceMs).catch(() => {});
}
