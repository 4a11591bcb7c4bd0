/** A swarm whose runs a test can count, and hold at each step: see `stand-ins/stepped-swarm.sh`. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

const PROGRAM = fileURLToPath(new URL("./stand-ins/stepped-swarm.sh", import.meta.url));
/** A busy machine may take this long to start a shell. */
const WITHIN_MS = 30_000;

/** Asked whether it is ready; its process runs and has said nothing; it has named its swarm. */
export type SwarmStep = "check" | "begun" | "working";

export type SteppedSwarm = {
  /** What makes a sidecar use it on its own host. */
  env: Record<string, string>;
  /** Keeps it at this step, which `reached` waits for, until `release`. */
  hold(step: SwarmStep): { reached(): Promise<void>; release(): void };
  /** The next run begins by killing the sidecar. */
  turnOnParent(): void;
  /** How often a task of this text was run. */
  runs(task: string): number;
};

export function steppedSwarm(dir: string): SteppedSwarm {
  mkdirSync(dir, { recursive: true });
  const profile = join(dir, "profile.json");
  writeFileSync(profile, JSON.stringify(PROFILE));
  return {
    env: {
      SWARM_PROFILE: "custom",
      SWARM_PROFILE_FILE: profile,
      SWARM_EXECUTOR: "process",
      SWARM_WORKDIR: dir,
    },
    hold(step) {
      const at = join(dir, `at-${step}`);
      const held = join(dir, `hold-${step}`);
      rmSync(at, { force: true });
      writeFileSync(held, "");
      return {
        reached: () =>
          vi.waitUntil(() => existsSync(at), { timeout: WITHIN_MS, interval: 10 }).then(() => {}),
        release: () => rmSync(held, { force: true }),
      };
    },
    turnOnParent: () => writeFileSync(join(dir, "turn-on-parent"), ""),
    runs: (task) => {
      const file = join(dir, "runs");
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
      return lines.filter((line) => line === task).length;
    },
  };
}

const PROFILE = {
  name: "stepped",
  cli: ["/bin/sh", PROGRAM],
  prepare: { check: ["check"], ready: { line: "^ready$" }, argv: ["check"] },
  spawn: { argv: ["spawn", "{task}"] },
  swarmId: "^swarm: (\\S+)$",
  outcome: { rules: [{ line: "^done$", state: "completed" }] },
};
