/** Both databases are written, and the writer is killed (-9): what the next start makes of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ConfigEntry } from "../../sidecar/config/entry.ts";
import { seededRandom } from "../bench/rig/random.ts";
import { Rig } from "../unit/config/rollout/rig.ts";

const WRITER = fileURLToPath(new URL("../support/rollout-writer.ts", import.meta.url));
const ROUNDS = 8;
const Line = z.union([
  z.object({ begun: z.string(), command: z.string().nullable() }),
  z.object({ done: z.string() }),
]);

type Told = {
  acknowledged: Map<string, string | null>;
  begun: { name: string; command: string | null } | null;
};

/** Runs the writer until it is killed, after `lines` lines or by itself, and gives what it told. */
async function killed(
  mode: string,
  rig: Rig,
  seed: number,
  when: { lines: number } | { write: number },
): Promise<Told> {
  const args = [WRITER, mode, rig.directory, String(seed), ...("write" in when ? [String(when.write)] : [])];
  const writer = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(writer, "exit");
  const told: Told = { acknowledged: new Map(), begun: null };
  let lines = 0;
  for await (const text of createInterface(writer.stdout)) {
    const line = Line.parse(JSON.parse(text));
    if ("begun" in line) told.begun = { name: line.begun, command: line.command };
    else if (told.begun) {
      told.acknowledged.set(told.begun.name, told.begun.command);
      told.begun = null;
    }
    if ("lines" in when && ++lines === when.lines) writer.kill("SIGKILL");
  }
  expect((await ended)[1]).toBe("SIGKILL");
  return told;
}

const commandOf = (entries: ConfigEntry[], name: string): unknown =>
  entries.find((entry) => entry.name === name)?.config.command ?? null;

/** Both say the same, with all that was acknowledged; what was begun is there wholly or not at all. */
async function expectWhole(rig: Rig, { acknowledged, begun }: Told): Promise<void> {
  const { old, store } = await rig.both();
  expect(old).toEqual(store);
  expect(old.length).toBeGreaterThan(0);
  for (const [name, command] of acknowledged) {
    const possible = begun?.name === name ? [command, begun.command] : [command];
    expect(possible).toContain(commandOf(store, name));
  }
}

for (const mode of ["safe", "full"] as const) {
  describe(`killed while both databases are written: ${mode}`, () => {
    it(`C4 C5 has both the same after a restart, with all that was acknowledged: ${ROUNDS} times at random`, async () => {
      const rig = new Rig(10);
      const random = seededRandom(6);
      const told: Told = { acknowledged: new Map(), begun: null };
      for (let round = 0; round < ROUNDS; round++) {
        const one = await killed(mode, rig, round, { lines: 1 + Math.floor(random() * 60) });
        for (const [name, command] of one.acknowledged) told.acknowledged.set(name, command);
        told.begun = one.begun;
        await rig.start({ mode });
        await expectWhole(rig, told);
        if (told.begun) told.acknowledged.set(told.begun.name, commandNow(rig, told.begun.name));
        await rig.stop();
      }
    });

    it("C4 C5 brings the older database what the store has, when it was killed between the two", async () => {
      const rig = new Rig(10);
      await rig.start({ mode });
      await rig.stop();
      const told = await killed(mode, rig, 3, { write: 5 });
      await rig.start({ mode });
      await expectWhole(rig, told);
      expect(told.begun).not.toBeNull();
      expect(commandNow(rig, told.begun?.name ?? "")).toBe(told.begun?.command);
      expect(rig.store.history(null, null, 1)[0]?.source).toBe("api");
    });
  });
}

function commandNow(rig: Rig, name: string): string | null {
  return z.string().nullable().parse(commandOf(rig.store.list(), name));
}
