import { describe, expect, it } from "vitest";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import { sessionScript } from "../../../sidecar/swarm/profiles/session-script.ts";

const TASK_ID = "0b7c8a2e-1111-4222-8333-123456789abc";
const request = { taskId: TASK_ID, task: "--help me (please)", priority: "High", verbose: false } as const;
const printed = (stdout: string, exitCode: number | null = 0): CommandResult => ({
  exitCode,
  stdout,
  stderr: "",
  ended: null,
});

describe("the session-script profile", () => {
  it("H1 creates a session with the text as one argument, its priority and its task's id", () => {
    const argv = sessionScript.spawn(["/app/session.sh"], request);
    expect(argv.slice(argv.indexOf("session-script"))).toEqual([
      ...["session-script", "1", "/app/session.sh", "create", ` ${request.task}`, "high"],
      JSON.stringify({ task_id: TASK_ID }),
    ]);
  });

  it.each(["don't", 'say "x"', "a\\b", "`id`", "$(id)", "one\ntwo", "\u2028", "\u001b[2J"])(
    "H4 S8 refuses %j, which the script would paste into a shell's line or a JSON file",
    (task) => {
      expect(() => sessionScript.spawn([], { ...request, task })).toThrow(
        expect.objectContaining({ code: "not_supported", message: expect.stringContaining("quotes") }),
      );
    },
  );

  it("H4 lists all sessions", () => {
    const session = { task: " x", status: "completed", created: "2026-11-21T17:44:11+00:00", dir: "/x" };
    const stdout = JSON.stringify({ sessions: { [TASK_ID]: session }, created: "…" }, null, 2);
    expect(sessionScript.list?.read(printed(stdout))).toEqual([
      {
        swarmId: TASK_ID,
        status: "completed",
        topology: null,
        workerCount: null,
        taskId: null,
        detail: session,
      },
    ]);
    expect(sessionScript.list?.read(printed('{"sessions": {}}'))).toEqual([]);
    for (const result of [printed(stdout, 1), printed("Usage: …"), printed('{"error":"x"}')]) {
      expect(() => sessionScript.list?.read(result)).toThrow(
        expect.objectContaining({ code: "swarm_failed" }),
      );
    }
  });

  it("H4 has no pause or resume", () => {
    expect(sessionScript.controls).toEqual({ stop: null, pause: null, resume: null });
  });
});
