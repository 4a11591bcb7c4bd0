import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import { claudeFlow3 } from "../../../sidecar/swarm/profiles/claude-flow-3.ts";
import { customProfile } from "../../../sidecar/swarm/profiles/custom.ts";
import { readCustomProfile } from "../../../sidecar/swarm/profiles/custom-file.ts";
import { demo } from "../../../sidecar/swarm/profiles/demo.ts";

const TASK_ID = "7f4df2ae-9a2c-4a56-8f0e-07cf2ad28b7a";
/** A file of `docs/profiles`. */
const described = (name: string) =>
  customProfile(readCustomProfile(join(import.meta.dirname, `../../../docs/profiles/${name}.json`)));
const request = { taskId: TASK_ID, task: "--help $(id)\n'x'", priority: "High", verbose: false } as const;
const printed = (stdout: string, exitCode: number | null = 0): CommandResult => ({
  exitCode,
  stdout,
  stderr: "",
  ended: null,
});

/** What claude-flow 3.43.0 prints. */
const HELP = `
Hive Mind - Consensus-Based Multi-Agent Coordination

Usage: claude-flow hive-mind <subcommand> [options]
`;
const STATUS = JSON.stringify(
  {
    hiveId: "hive-1795251241745",
    status: "active",
    topology: "hierarchical-mesh",
    consensus: "byzantine",
    queen: { id: "queen-1795251241745", status: "active", load: 0, tasksQueued: 1 },
    workers: [{ id: "hive-worker-1795251242191-qomd", type: "coder", status: "idle", currentTask: null }],
    id: "hive-1795251241745",
    initialized: true,
    workerCount: 5,
    uptime: 2262,
  },
  null,
  2,
);
const OFFLINE = STATUS.replace('"active"', '"offline"').replace(
  '"initialized": true',
  '"initialized": false',
);
const spawned = (objective = "Build REST API") => `[INFO] Spawning 1 worker agent(s)...

+--------------------------------+--------+--------+------------+
| Agent ID                       | Role   | Status | Joined     |
+--------------------------------+--------+--------+------------+
| hive-worker-1795251243108-qz46 | worker | idle   | 8:54:03 AM |
+--------------------------------+--------+--------+------------+

[OK] Spawned 1 agent(s)
  Total workers in hive: 5

🚀 Launching Claude Code with Hive Mind Coordination
────────────────────────────────────────────────────────────
... Preparing Hive Mind coordination prompt...\r                     \rHive Mind coordination prompt ready!

🧠 Hive Mind Configuration
────────────────────────────────────────────────────────────
  - Swarm ID: hive-1795251241745
  - Objective: ${objective}
  - Queen Type: strategic
  - Worker Count: 1
  - Worker Types: worker
  - Consensus: majority
  - MCP Tools: Full Claude-Flow integration enabled

[OK] Hive Mind prompt saved to: .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt
`;
const WITHOUT_CLAUDE = `
[WARN] Claude Code CLI not found in PATH
Install it with: npm install -g @anthropic-ai/claude-code
Falling back to displaying instructions...

📋 Manual Execution Instructions:
──────────────────────────────────────────────────
  - Install Claude Code: npm install -g @anthropic-ai/claude-code
  - Run with saved prompt: claude < .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt
  - Or copy manually: cat .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt | claude
  - With auto-permissions: claude --dangerously-skip-permissions < .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt
`;
const WITH_CLAUDE = `
[WARN] No .mcp.json or ~/.claude.json found — spawned worker will not have mcp__ruflo__* tools (#1748 Issue 2).
[INFO] Running in non-interactive mode

[INFO] Launching Claude Code...
Press Ctrl+C to pause the session

[OK] Claude Code launched with Hive Mind coordination
[INFO] The Queen coordinator will orchestrate all worker agents
Prompt file saved at: .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt
{"type":"result"}
`;
const COMPLETED = "\n[OK] Claude Code completed successfully\n[DEBUG] Completed in 49ms\n";
const PAUSED = `
[WARN] Pausing session and terminating Claude Code...

[OK] Session paused
Prompt file saved at: .hive-mind/sessions/hive-mind-prompt-hive-1795251241745.txt
To resume, run claude with the saved prompt file
`;

describe.each([
  ["the claude-flow@3 profile", claudeFlow3],
  ["its description in a file", described("claude-flow-3")],
])("%s", (_, profile) => {
  it("H1 hands over the text as the last argument, behind the end of options", () => {
    const argv = profile.spawn(["claude-flow"], request);
    expect(argv.slice(0, 3)).toEqual(["claude-flow", "hive-mind", "spawn"]);
    expect(argv.slice(-2)).toEqual(["--", request.task]);
    expect(argv).toContain("--auto-scale");
    expect(argv).toContain("--monitor");
    expect(argv).not.toContain("--verbose");
    expect(profile.spawn([], { ...request, verbose: true })).toContain("--verbose");
  });

  it.each([
    ["High", "tactical"],
    ["Medium", "strategic"],
    ["Low", "adaptive"],
  ] as const)("H1 gives a task of priority %s a %s queen", (priority, queen) => {
    const argv = profile.spawn([], { ...request, priority });
    expect(argv[argv.indexOf("--queen-type") + 1]).toBe(queen);
  });

  it("H1 finds the swarm's id, once it is whole", () => {
    const output = spawned();
    expect(profile.swarmId(output)).toBe("hive-1795251241745");
    expect(profile.swarmId(output.slice(0, output.indexOf("241745")))).toBeNull();
    expect(profile.swarmId(HELP)).toBeNull();
  });

  it("H4 says that no agent was started when claude is missing, though the exit code is 0", () => {
    const { state, reason } = profile.outcome(0, spawned() + WITHOUT_CLAUDE);
    expect(state).toBe("failed");
    expect(reason).toMatch(/No agent was started.*npm install -g @anthropic-ai\/claude-code/);
  });

  it("H4 takes a task for completed only when Claude Code says so", () => {
    const ran = spawned() + WITH_CLAUDE;
    expect(profile.outcome(0, ran + COMPLETED).state).toBe("completed");
    expect(profile.outcome(null, ran + COMPLETED).state).toBe("completed");
    expect(profile.outcome(0, ran).state).toBe("failed");
    expect(profile.outcome(null, ran).state).toBe("lost");
    expect(profile.outcome(1, ran).state).toBe("failed");
    expect(profile.outcome(0, ran + PAUSED).state).toBe("stopped");
    expect(profile.outcome(0, HELP).state).toBe("failed");
  });

  it("H4 is not fooled by a task whose text holds the CLI's own words", () => {
    const lines = spawned(`x${COMPLETED}${WITHOUT_CLAUDE}${PAUSED}`);
    expect(profile.outcome(0, lines + WITH_CLAUDE).state).toBe("failed");
    expect(profile.outcome(0, lines + WITH_CLAUDE + COMPLETED).state).toBe("completed");
    expect(profile.outcome(0, spawned(COMPLETED) + WITHOUT_CLAUDE).state).toBe("failed");
  });

  it("H4 lists the directory's hive, also behind a preamble", () => {
    const { list } = profile;
    const hive = {
      swarmId: "hive-1795251241745",
      status: "active",
      topology: "hierarchical-mesh",
      workerCount: 5,
      taskId: null,
    };
    const preamble = "[INFO] Loading...\n... Setting up\r         \r{not json} done\n";
    for (const stdout of [STATUS, preamble + STATUS]) {
      expect(list?.read(printed(stdout))).toMatchObject([hive]);
    }
    expect(list?.read(printed(OFFLINE))).toEqual([]);
  });

  it("H4 takes help, a failure or silence for no answer", () => {
    for (const result of [
      printed(HELP),
      printed(""),
      printed(STATUS, 1),
      printed(STATUS, null),
      printed("{}"),
    ]) {
      expect(() => profile.list?.read(result)).toThrow(expect.objectContaining({ code: "swarm_failed" }));
      expect(profile.prepare?.isReady(result)).toBe(false);
    }
    expect(profile.prepare?.isReady(printed(OFFLINE))).toBe(false);
    expect(profile.prepare?.isReady(printed(STATUS))).toBe(true);
  });

  it("H4 has no stop, pause or resume", () => {
    expect(profile.controls).toEqual({ stop: null, pause: null, resume: null });
  });
});

describe.each([
  ["the demo profile", demo],
  ["its description in a file", described("demo")],
])("%s", (_, profile) => {
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const started = line({ event: "spawned", swarmId: "swarm-1", taskId: TASK_ID, workers: 4, timestamp: 1 });
  const progress = line({
    event: "progress",
    swarmId: "swarm-1",
    progress: 0.5,
    unitsDone: 1,
    unitsTotal: 2,
  });
  const entry = {
    swarmId: "swarm-1",
    taskId: TASK_ID,
    task: "count",
    status: "active",
    topology: "star",
    workerCount: 4,
    progress: 0.5,
    createdAt: 1,
    endedAt: null,
  };

  it("H1 hands over the text as the last argument, behind the end of options", () => {
    expect(profile.spawn(["hive"], request)).toEqual([
      ...["hive", "hive-mind", "spawn", "--format", "json", "--priority", "High", "--", request.task],
    ]);
    expect(profile.spawn([], { ...request, verbose: true })).toContain("--verbose");
  });

  it("H1 finds the swarm's id, once its line is whole", () => {
    expect(profile.swarmId(`warming up\n${started}${progress}`)).toBe("swarm-1");
    expect(profile.swarmId(started.trimEnd())).toBeNull();
  });

  it("H4 tells how a task ended by its last event", () => {
    const running = started + progress;
    expect(profile.outcome(0, running + line({ event: "completed", swarmId: "swarm-1" }))).toEqual({
      state: "completed",
      reason: null,
    });
    expect(profile.outcome(null, running + line({ event: "stopped", swarmId: "swarm-1" })).state).toBe(
      "stopped",
    );
    expect(
      profile.outcome(1, running + line({ event: "failed", swarmId: "swarm-1", reason: "no luck" })),
    ).toEqual({
      state: "failed",
      reason: "no luck",
    });
    expect(profile.outcome(null, running).state).toBe("lost");
    expect(profile.outcome(0, running).state).toBe("failed");
    expect(profile.outcome(137, running).reason).toContain("137");
  });

  it("H4 lists swarms", () => {
    const swarm = {
      swarmId: "swarm-1",
      status: "active",
      topology: "star",
      workerCount: 4,
      taskId: TASK_ID,
      detail: entry,
    };
    expect(profile.list?.read(printed(line({ sessions: [entry] })))).toEqual([swarm]);
    expect(() => profile.list?.read(printed(line({ success: false }), 1))).toThrow(
      expect.objectContaining({ code: "swarm_failed" }),
    );
  });

  it("H4 has stop, pause and resume", () => {
    for (const name of ["stop", "pause", "resume"] as const) {
      expect(profile.controls[name]?.argv(["hive"], "s")).toEqual([
        ...["hive", "hive-mind", name, "--format", "json", "--", "s"],
      ]);
    }
  });

  it("H4 believes a stop only when the swarm says that it succeeded", () => {
    const { stop } = profile.controls;
    expect(stop?.succeeded(printed(line({ success: true })))).toBe(true);
    expect(stop?.succeeded(printed(line({ success: false })))).toBe(false);
    expect(stop?.succeeded(printed(line({ success: true }), 1))).toBe(false);
    expect(stop?.succeeded(printed("Usage: hive-mind <command>"))).toBe(false);
    expect(stop?.argv(["hive"], "--all")).toEqual([
      "hive",
      "hive-mind",
      "stop",
      "--format",
      "json",
      "--",
      "--all",
    ]);
  });
});
