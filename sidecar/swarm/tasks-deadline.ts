import { HivegateError } from "../../shared/errors.ts";
import { within } from "../mcp/within.ts";

/** What `work` comes to, or `otherwise` when it fails or takes longer than `limitMs`. Never rejects. */
export const withinMs = <T>(work: Promise<T>, limitMs: number, otherwise: T): Promise<T> =>
  within(work, limitMs, () => new HivegateError("timeout")).catch(() => otherwise);
