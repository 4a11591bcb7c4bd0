import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { CommandResult } from "../../../sidecar/swarm/executor.ts";
import { customProfile } from "../../../sidecar/swarm/profiles/custom.ts";
import { readCustomProfile } from "../../../sidecar/swarm/profiles/custom-file.ts";
import { CustomProfile } from "../../../sidecar/swarm/profiles/custom-schema.ts";
import { fitsOf } from "../../../sidecar/swarm/profiles/pattern.ts";

const DOCS = join(import.meta.dirname, "../../../docs/profiles");
const TASK_ID = "0b7c8a2e-1111-4222-8333-123456789abc";
const SMALLEST = {
  name: "mine",
  cli: ["mine"],
  spawn: { argv: ["do", "{task}"] },
  outcome: { rules: [{ exitCode: 0, state: "completed" }] },
};
const request = { taskId: TASK_ID, task: "x", priority: "High", verbose: false } as const;
const printed = (stdout: string, exitCode: number | null = 0): CommandResult => ({
  exitCode,
  stdout,
  stderr: "",
  ended: null,
});
const profileOf = (more: object = {}) => customProfile(CustomProfile.parse({ ...SMALLEST, ...more }));

function refusalOf(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "mine.json");
  writeFileSync(path, content);
  try {
    readCustomProfile(path);
    return "";
  } catch (thrown) {
    return z.instanceof(Error).parse(thrown).message.replace(path, "mine.json");
  }
}

describe("a custom profile's file", () => {
  it("H8 is described by the schema that is published", () => {
    const published: unknown = JSON.parse(readFileSync(join(DOCS, "custom-profile.schema.json"), "utf8"));
    const schema = z.toJSONSchema(CustomProfile, { io: "input" });
    // When it is not: write this into the file, and format it.
    expect(published, JSON.stringify(schema)).toEqual(schema);
  });

  it("H8 is what the guide's example is", () => {
    const guide = readFileSync(join(DOCS, "../custom-profile.md"), "utf8");
    const [, example = ""] = /```json\n(.*?)```/s.exec(guide) ?? [];
    const { outcome, swarmId } = customProfile(CustomProfile.parse(JSON.parse(example)));
    expect(swarmId("swarm: s-1\n")).toBe("s-1");
    expect(outcome(0, "done\n").state).toBe("completed");
    expect(outcome(0, "ERROR: disk\n").reason).toBe("disk");
  });

  const { spawn, ...withoutSpawn } = SMALLEST;
  it.each([
    ["{\n  name: 1\n}", "mine.json: not JSON (line 2 column 3)"],
    ["", "mine.json: not JSON Unexpected end of JSON input"],
    [JSON.stringify([]), "mine.json: Invalid input: expected object, received array"],
    [JSON.stringify(withoutSpawn), "mine.json: spawn: Invalid input"],
    [JSON.stringify({ ...SMALLEST, colour: "red" }), 'mine.json: Unrecognized key: "colour"'],
    [
      JSON.stringify({ ...SMALLEST, spawn: { argv: ["do"] } }),
      "mine.json: spawn.argv: expected {task} in exactly one element",
    ],
    [
      JSON.stringify({ ...SMALLEST, spawn: { argv: ["{task}", "{task}"] } }),
      "mine.json: spawn.argv: expected {task} in exactly one element",
    ],
    [
      JSON.stringify({ ...SMALLEST, spawn: { argv: ["{task}", "{swarm_id}"] } }),
      "mine.json: spawn.argv.1: expected no placeholder but {task}, {task_id}, {priority}",
    ],
    [
      JSON.stringify({ ...SMALLEST, spawn: { argv: ["{task}", { verbose: ["{task}"] }] } }),
      "mine.json: spawn.argv.1.verbose.0: expected no placeholder but {task_id}, {priority}",
    ],
    [
      JSON.stringify({ ...SMALLEST, swarmId: "id: \\S+" }),
      "mine.json: swarmId: expected exactly one group: (…)",
    ],
    [
      JSON.stringify({ ...SMALLEST, swarmId: "(" }),
      "mine.json: swarmId: expected a regular expression of JavaScript",
    ],
    [JSON.stringify({ ...SMALLEST, swarmId: `(${"x".repeat(200)})` }), "mine.json: swarmId: Too big"],
    [
      JSON.stringify({ ...SMALLEST, controls: { stop: { argv: ["stop"], succeeded: { line: "ok" } } } }),
      "mine.json: controls.stop: expected {swarm_id} in argv",
    ],
    [
      JSON.stringify({ ...SMALLEST, controls: { pause: { argv: ["{swarm_id}"], succeeded: {} } } }),
      "mine.json: controls.pause.succeeded: expected line or json: exit code 0 alone says little",
    ],
    [
      JSON.stringify({ ...SMALLEST, list: { argv: ["list"], line: "(?<swarm_id>.*)", none: "none" } }),
      "mine.json: list.line: expected the named groups swarm_id and status",
    ],
    [
      JSON.stringify({
        ...SMALLEST,
        list: { argv: [], json: { swarms: "x", swarm_id: "/a", status: "/b" } },
      }),
      "mine.json: list.json.swarms: expected a JSON Pointer",
    ],
    [`{"name": "${"x".repeat(65_536)}"}`, "mine.json: longer than 65536 bytes"],
  ])("H8 says in one line where %s is wrong", (content, message) => {
    const refusal = refusalOf(content);
    expect(refusal).toContain(message);
    expect(refusal).not.toContain("\n");
  });

  it("H8 says that it cannot be read", () => {
    expect(() => readCustomProfile("/nowhere/mine.json")).toThrow(
      "/nowhere/mine.json: cannot be read (ENOENT)",
    );
  });
});

describe("a custom profile", () => {
  it("H1 fills placeholders once: what is put in stays as it is, in its own argument", () => {
    const argv = ["--task={task}", "{task_id}", '{"a":"{priority}"}', { verbose: ["-v", "{priority}"] }];
    const { spawn } = profileOf({ spawn: { argv, priorities: { High: "9", Medium: "5", Low: "1" } } });
    const task = "{priority} {task} $& $1";
    expect(spawn(["a", "b"], { ...request, task })).toEqual([
      "a",
      "b",
      `--task=${task}`,
      TASK_ID,
      '{"a":"9"}',
    ]);
    expect(spawn([], { ...request, verbose: true }).slice(-2)).toEqual(["-v", "9"]);
  });

  it("H4 has what its file says, and nothing else", () => {
    const { prepare, list, controls, swarmId } = profileOf();
    expect({ prepare, list, controls }).toEqual({
      prepare: null,
      list: null,
      controls: { stop: null, pause: null, resume: null },
    });
    expect(swarmId("Swarm ID: x\n")).toBeNull();
  });

  it("H4 tells how a task ended by the first rule that fits", () => {
    const rules = [
      { line: "^ERROR (.+)$", state: "failed" },
      { exitCode: 3, state: "stopped" },
      { exitCode: "not 0", state: "failed", reason: "no luck" },
      { exitCode: 0, line: "^done$", state: "completed" },
    ];
    const { outcome } = profileOf({ outcome: { lastLines: 2, rules } });
    expect(outcome(0, "ERROR disk\ndone\n\n")).toEqual({ state: "failed", reason: "disk" });
    expect(outcome(0, "ERROR disk\n\nagain\r\ndone\r\n").state).toBe("completed");
    expect(outcome(3, "").state).toBe("stopped");
    expect(outcome(1, "done")).toEqual({ state: "failed", reason: "no luck" });
    expect(outcome(0, "well done")).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(/without/),
    });
    expect(outcome(null, "done").state).toBe("lost");
  });

  it("H4 lists what its lines tell, and takes other lines for no answer", () => {
    const line = "^(?<swarm_id>\\S+) +(?<status>\\w+) +(?<worker_count>\\d+|-)(?: +(?<task_id>\\S+))?$";
    const { list } = profileOf({ list: { argv: ["list"], line, none: "^nothing$" } });
    expect(list?.argv(["a"])).toEqual(["a", "list"]);
    expect(list?.read(printed(`ID  STATUS  N\ns-1  active  3  ${TASK_ID}\r\ns-2  done  -\n`))).toMatchObject([
      { swarmId: "s-1", status: "active", workerCount: 3, topology: null, taskId: TASK_ID },
      { swarmId: "s-2", status: "done", workerCount: null, topology: null, taskId: null },
    ]);
    expect(list?.read(printed("nothing\n"))).toEqual([]);
    for (const result of [printed("Usage: …"), printed("nothing\n", 1)]) {
      expect(() => list?.read(result)).toThrow(expect.objectContaining({ code: "swarm_failed" }));
    }
  });

  it("H4 lists what is at its places, and takes an entry without an id for no answer", () => {
    const json = {
      swarms: "/a~1b/0",
      where: { "/live": true },
      swarm_id: "/id",
      status: "/s",
      topology: "/t",
    };
    const { list } = profileOf({ list: { argv: [], json } });
    const entries = (swarms: unknown) => printed(`log\n${JSON.stringify({ "a/b": [swarms] })}\n`);
    const live = { id: "1", s: "up", t: 5, live: true };
    expect(list?.read(entries([live, { live: false }]))).toMatchObject([
      { swarmId: "1", status: "up", topology: null },
    ]);
    for (const result of [
      entries([{ live: true }]),
      entries([{}]),
      entries("x"),
      entries(null),
      printed(""),
    ]) {
      expect(() => list?.read(result)).toThrow(expect.objectContaining({ code: "swarm_failed" }));
    }
  });

  it("H4 believes a control only when exit code, line and JSON say so", () => {
    const succeeded = { line: '^\\{"ok"', json: { "/ok": true, "/n": 0 } };
    const { pause, resume } = profileOf({
      controls: { pause: { argv: ["pause", "--", "{swarm_id}"], succeeded } },
    }).controls;
    expect(resume).toBeNull();
    expect(pause?.argv(["a"], "{swarm_id}")).toEqual(["a", "pause", "--", "{swarm_id}"]);
    expect(pause?.succeeded(printed('{"ok":true,"n":0}'))).toBe(true);
    for (const result of [
      printed('{"ok":true,"n":0}', 1),
      printed('{"ok":true,"n":0}', null),
      printed('{"ok":true,"n":1}'),
      printed('{"n":0,"ok":true}'),
      printed("paused"),
    ]) {
      expect(pause?.succeeded(result)).toBe(false);
    }
  });

  it("S6 breaks off an expression that backtracks for ever, and takes that for no success", () => {
    const [slow, line] = ["^(a+)+$", `${"a".repeat(100)}b`];
    const rules = [
      { line: slow, state: "failed" },
      { exitCode: 0, state: "completed" },
    ];
    const control = { argv: ["{swarm_id}"], succeeded: { line: slow } };
    const { outcome, list, controls, swarmId } = profileOf({
      ...{ outcome: { rules }, swarmId: slow, controls: { pause: control } },
      list: { argv: [], line: `(?<swarm_id>(?<status>${slow}))`, none: "a" },
    });
    expect(outcome(0, line)).toEqual({ state: "failed", reason: expect.stringContaining("too long") });
    expect(controls.pause?.succeeded(printed(line))).toBe(false);
    expect(() => swarmId(`${line}\n`)).toThrow("takes too long");
    expect(() => list?.read(printed(line))).toThrow(expect.objectContaining({ code: "swarm_failed" }));
    expect(fitsOf(slow, ["aaa", line])).toBeNull();
    expect(fitsOf("^(a+)+$", ["b", "aaa"])).toEqual([{ groups: ["aaa"], named: {} }]);
    expect(fitsOf("a", ["a".repeat(5_000)])).toEqual([]);
  });
});
