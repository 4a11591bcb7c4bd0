/** A swarm whose runs a test can count, and hold at each step: see `stand-ins/stepped-swarm.sh`. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

const PROGRAM = fileURLToPath(new URL("./stand-ins/stepped-swarm.sh", import.meta.url));
/** A busy machine may take this long to start a shell. */
const WITHIN_MS = 30_000;

/** Asked whether it is ready, or which swarms there are; its process runs and has said nothing; it has named its swarm. */
export type SwarmStep = "check" | "list" | "begun" | "working";

export type SteppedSwarm = {
  /** What makes a sidecar use it. */
  env: Record<string, string>;
  /** Keeps it at this step, which `reached` waits for, until `release`. */
  hold(step: SwarmStep): { reached(): Promise<void>; release(): void };
  /** The next run begins by killing the sidecar. */
  turnOnParent(): void;
  /** How often a task of this text was run. */
  runs(task: string): number;
};

/** `seenAs` is where its directory is for its processes, if they live in a container. */
export function steppedSwarm(dir: string, seenAs?: string): SteppedSwarm {
  mkdirSync(dir, { recursive: true });
  copyFileSync(PROGRAM, join(dir, "swarm.sh"));
  const file = join(dir, "profile.json");
  // A container that is made anew has to be made ready anew.
  const profile = profileFor(seenAs ?? dir, seenAs === undefined ? join(dir, "ready") : "/tmp/ready");
  writeFileSync(file, JSON.stringify(profile));
  return {
    env: {
      SWARM_PROFILE: "custom",
      SWARM_PROFILE_FILE: file,
      SWARM_EXECUTOR: seenAs === undefined ? "process" : "docker",
      SWARM_WORKDIR: seenAs ?? dir,
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

const profileFor = (dir: string, ready: string) => ({
  name: "stepped",
  cli: ["/bin/sh", join(dir, "swarm.sh")],
  prepare: { check: ["check", ready], ready: { line: "^ready$" }, argv: ["prepare", ready] },
  spawn: { argv: ["spawn", ready, "{task}"] },
  swarmId: "^swarm: (\\S+)$",
  outcome: { rules: [{ line: "^done$", state: "completed" }] },
  list: { argv: ["list"], line: "^(?<swarm_id>\\S+) (?<status>\\S+)$", none: "^none$" },
});
