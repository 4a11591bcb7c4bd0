/** `GET /api/v1/mcp/health`, which needs no key: so an answer is given again for a while, and few questions are passed on. */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Tries } from "../../shared/pressure/tries.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import type { OlderHealth } from "./older-health.ts";

type Kept = { health: OlderHealth | null; atMs: number; tries: Tries };

export class KeptHealth {
  readonly #hives = new Map<string, Kept>();

  /** Only answers are shared, for on Workers no request may wait for another's. @throws HivegateError `overloaded` … */
  async of(
    hive: string,
    sidecar: Pick<SidecarClient, "olderHealth">,
    now: () => number,
  ): Promise<OlderHealth> {
    const kept = this.#hives.get(hive) ?? {
      ...{ health: null, atMs: 0 },
      tries: new Tries(LIMITS.healthQuestions, LIMITS.healthKeptMs),
    };
    this.#hives.set(hive, kept);
    if (kept.health && now() - kept.atMs < LIMITS.healthKeptMs) return kept.health;
    if (!kept.tries.take(now())) throw new HivegateError("overloaded");
    kept.health = await sidecar.olderHealth();
    kept.atMs = now();
    return kept.health;
  }
}
