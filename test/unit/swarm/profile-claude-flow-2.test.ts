import { describe, expect, it } from "vitest";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import { claudeFlow2 } from "../../../sidecar/swarm/profiles/claude-flow-2.ts";
import { captured } from "../../support/captures.ts";

const CAPTURES = "claude-flow-2.7.47";
const TASK_IDS = ["0b7c8a2e-1111-4222-8333-123456789abc", "7f4df2ae-9a2c-4a56-8f0e-07cf2ad28b7a"] as const;
const request = { taskId: TASK_IDS[0], task: "--help $(id)\n'x'", priority: "High", verbose: false } as const;
const printed = (stdout: string, exitCode: number | null = 0): CommandResult => ({
  exitCode,
  stdout,
  stderr: "",
  ended: null,
});
const read = (result: CommandResult) => claudeFlow2.list?.read(result);

describe("the claude-flow@2 profile", () => {
  const [none, two] = captured(CAPTURES, "hive-mind", "sessions");

  it("H1 hands over the text as one argument before all options, where it cannot be taken for one", () => {
    const argv = claudeFlow2.spawn(["/opt/flow", "--quiet"], request);
    const spawn = argv.slice(argv.indexOf("spawn"));
    expect(argv.slice(argv.indexOf("hive-mind"), argv.indexOf("spawn"))).toEqual([
      ...["hive-mind", "2", "/opt/flow", "--quiet", "hive-mind"],
    ]);
    expect(spawn.slice(0, 3)).toEqual(["spawn", ` ${request.task}`, "--claude"]);
    expect(spawn).toContain("--auto-scale");
    expect(spawn).toContain("--monitor");
    expect(spawn[spawn.indexOf("--name") + 1]).toBe(`hivegate-${request.taskId}`);
    expect(spawn).not.toContain("--verbose");
    expect(claudeFlow2.spawn([], { ...request, verbose: true }).at(-1)).toBe("--verbose");
  });

  it.each([
    ["High", "tactical"],
    ["Medium", "strategic"],
    ["Low", "adaptive"],
  ] as const)("H1 gives a task of priority %s a %s queen", (priority, queen) => {
    const argv = claudeFlow2.spawn([], { ...request, priority });
    expect(argv[argv.indexOf("--queen-type") + 1]).toBe(queen);
  });

  it("H4 lists the sessions that go on, with the tasks that they were begun for", () => {
    expect(read(none)).toEqual([]);
    expect(two && read(two)).toMatchObject([
      { swarmId: "session-1795283093506-epqrvcgph", taskId: TASK_IDS[0], status: "active", workerCount: 4 },
      { swarmId: "session-1795283090847-fwbo9kett", taskId: TASK_IDS[1], status: "active", workerCount: 4 },
    ]);
    expect(read(printed("No active or paused sessions found\n"))).toEqual([]);
  });

  it("H4 keeps a session's entry though its text holds another, and believes no end from there", () => {
    const stdout = two?.stdout ?? "";
    const head = (id: string, status: string) =>
      `${"═".repeat(60)}\n🟢 x\nSession ID: ${id}\nStatus: ${status}\nObjective: `;
    const text = `x\n${head("session-1795283090847-fwbo9kett", "completed")}\n${head("session-1795283093506-epqrvcgph", "paused")}`;
    const swarms = read(printed(stdout.replace("Objective: Build REST API", () => `Objective: ${text}`)));
    expect(swarms?.map(({ swarmId, status }) => [swarmId, status])).toEqual([
      ["session-1795283093506-epqrvcgph", "active"],
      ["session-1795283090847-fwbo9kett", "active"],
    ]);
  });

  it("H4 takes help, a failure or silence for no answer", () => {
    for (const result of [
      printed(""),
      printed("Error: database is locked\n"),
      printed(two?.stdout ?? "", 1),
      printed(two?.stdout ?? "", null),
      ...captured(CAPTURES, "hive-mind", "pause"),
    ]) {
      expect(() => read(result)).toThrow(expect.objectContaining({ code: "swarm_failed" }));
    }
  });

  it("H4 has no pause, and no resume though the CLI says that one succeeded", () => {
    const [resumed] = captured(CAPTURES, "hive-mind", "resume");
    expect(resumed).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("resumed successfully!") });
    expect(claudeFlow2.controls).toEqual({ stop: null, pause: null, resume: null });
  });
});
