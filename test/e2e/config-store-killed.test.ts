/** A process that is killed while it changes the store of configurations, before each statement of its transaction. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { writeNew, writeOld } from "../support/store-change.ts";

const WRITER = fileURLToPath(new URL("../support/store-writer.ts", import.meta.url));
const run = promisify(execFile);
/** It never comes to that one. */
const NEVER = 1_000_000;
const ROUNDS = 50;
/** Processes at once. */
const LANES = 4;

/** How many statements it came to; null: it was killed. */
async function write(file: string, killAt: number): Promise<number | null> {
  try {
    return Number((await run(process.execPath, [WRITER, file, String(killAt)])).stdout);
  } catch (thrown) {
    if (thrown instanceof Error && "signal" in thrown && thrown.signal === "SIGKILL") return null;
    throw thrown;
  }
}

function using<T>(file: string, work: (store: ConfigStore) => T): T {
  const store = new ConfigStore(file);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

/** All that there is, with the index of agents as a question about it. */
const contents = (file: string) =>
  using(file, (store) => ({
    list: store.list(),
    history: store.history(null, null, 100),
    seed: store.seed(),
    agents: ["x", "y", "z"].map((agent) => store.ofAgent(agent).map(({ name }) => name)),
    isWhole: store.db.prepare("PRAGMA integrity_check").get(),
  }));

describe("a store whose writer is killed", () => {
  it("C3 C5 is the old or the new one, whole, before whichever statement it is", {
    timeout: 120_000,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "config-killed-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const old = (name: string): string => {
      const file = join(directory, `${name}.db`);
      using(file, writeOld);
      return file;
    };
    const before = contents(old("old"));
    const finished = old("new");
    const statements = await write(finished, NEVER);
    const after = contents(finished);
    expect(after).not.toEqual(before);
    expect(statements).toBeGreaterThanOrEqual(ROUNDS);

    const outcomes = { old: 0, new: 0 };
    const round = async (killAt: number): Promise<void> => {
      const file = old(`killed-${killAt}`);
      expect(await write(file, killAt)).toBeNull();
      const left = contents(file);
      const isNew = left.list.length === after.list.length;
      expect(left).toEqual(isNew ? after : before);
      outcomes[isNew ? "new" : "old"]++;
      // Whoever comes next finishes it, or finds that it is done.
      using(file, writeNew);
      expect(contents(file).list).toEqual(after.list);
    };
    const lane = async (first: number): Promise<void> => {
      for (let killAt = first; killAt <= Number(statements); killAt += LANES) await round(killAt);
    };
    await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n + 1)));
    expect(outcomes).toEqual({ old: Number(statements) - 1, new: 1 });
  });
});
