import { expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { KeptHealth } from "../../../../worker/configs/kept-health.ts";
import type { OlderHealth } from "../../../../worker/configs/older-health.ts";

const HEALTH: OlderHealth = {
  ...{ status: "healthy", servers_total: 1, servers_running: 1, servers_error: 0 },
  ...{ tools_available: 2, resources_available: null, timestamp: 1 },
};

it("C2 gives an answer again for a second, per hive, and asks a few times in that while nobody answers", async () => {
  let nowMs = 0;
  let asked = 0;
  const kept = new KeptHealth();
  const answers = { olderHealth: async () => ({ ...HEALTH, servers_total: ++asked }) };
  const of = (hive: string, sidecar = answers) => kept.of(hive, sidecar, () => nowMs);
  expect([await of("a"), await of("a")].map(({ servers_total }) => servers_total)).toEqual([1, 1]);
  expect((await of("b")).servers_total).toBe(2);
  nowMs = LIMITS.healthKeptMs;
  expect((await of("a")).servers_total).toBe(3);

  nowMs = 10 * LIMITS.healthKeptMs;
  const silent = { olderHealth: () => new Promise<never>(() => {}) };
  for (let i = 0; i < LIMITS.healthQuestions; i++) void of("a", silent);
  await expect(of("a")).rejects.toMatchObject({ code: "overloaded" });
  nowMs += LIMITS.healthKeptMs;
  expect((await of("a")).servers_total).toBe(4);
});
