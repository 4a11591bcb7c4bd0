import { describe, expect, it, onTestFinished } from "vitest";
import { type Beginning, Ledger, type LedgerLimits } from "../../../sidecar/swarm/ledger.ts";
import { aTask, scratchDirectory, TASK_ID, taskId } from "./fakes.ts";

const AT_ONCE: Beginning = { method: "process", state: "spawning" };

function openLedger(directory = scratchDirectory(), limits?: Partial<LedgerLimits>) {
  const ledger = new Ledger(directory, limits);
  let open = true;
  const close = () => {
    if (open) ledger.close();
    open = false;
  };
  onTestFinished(close);
  return { ledger, close };
}

const told = (ledger: Ledger, seq: number) =>
  ledger.events(TASK_ID, seq, 100).map((event) => {
    if (event.kind !== "output") return event.kind;
    return `${event.stream} ${event.text}${event.partial ? "…" : ""}`;
  });

describe("lines in the ledger", () => {
  it("H9 get their numbers when they end; an unfinished one holds up no other", () => {
    const { ledger } = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    expect(ledger.addOutput(TASK_ID, "stdout", "Password", 1)).toBe(true);
    ledger.addOutput(TASK_ID, "stderr", "warning\n", 2);
    expect(told(ledger, 1)).toEqual(["stderr warning"]);
    expect(ledger.addOutput(TASK_ID, "stdout", ": no\nnext\n", 3)).toBe(false);
    expect(told(ledger, 1)).toEqual(["stderr warning", "stdout Password: no", "stdout next"]);
  });

  it("H9 are told as far as they have come when they are closed, and go on in the next", () => {
    const { ledger } = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    ledger.addOutput(TASK_ID, "stdout", "Password: ", 1);
    ledger.closeLines(TASK_ID, 2, ["stderr"]);
    expect(told(ledger, 1)).toEqual([]);
    ledger.closeLines(TASK_ID, 2, ["stdout"]);
    ledger.closeLines(TASK_ID, 3);
    ledger.addOutput(TASK_ID, "stdout", "secret\n", 4);
    expect(told(ledger, 1)).toEqual(["stdout Password: …", "stdout secret"]);
    expect(ledger.output(TASK_ID, "end", 100)).toBe("Password: secret\n");
  });

  it("H9 that are unfinished come before the end of their task, and before a gap", () => {
    const { ledger } = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    ledger.addOutput(TASK_ID, "stdout", "half", 1);
    ledger.addGap(TASK_ID, "lost", 2);
    ledger.addOutput(TASK_ID, "stderr", "last", 3);
    ledger.change(TASK_ID, { state: "completed", endedAt: 4 }, 4);
    expect(told(ledger, 1)).toEqual(["stdout half…", "gap", "stderr last…", "state"]);
  });

  it("H9 that were unfinished when the sidecar was killed are there for the next one", () => {
    const directory = scratchDirectory();
    const before = openLedger(directory);
    before.ledger.begin(aTask(), AT_ONCE, 0);
    before.ledger.addOutput(TASK_ID, "stdout", "one\nhal", 1);
    before.close();
    const { ledger } = openLedger(directory);
    ledger.addOutput(TASK_ID, "stdout", "f\n", 2);
    expect(told(ledger, 1)).toEqual(["stdout one", "stdout half"]);
  });

  it("H9 are kept together with how far the output was read, or neither is", () => {
    const directory = scratchDirectory();
    const before = openLedger(directory);
    before.ledger.begin(aTask(), AT_ONCE, 0);
    before.ledger.addOutput(TASK_ID, "stdout", "one\nhal", 1, 7);
    expect(() => before.ledger.addOutput(TASK_ID, "stdout", "f\n", Number.NaN, 9)).toThrow();
    before.close();
    const { ledger } = openLedger(directory);
    expect(ledger.keptBytes(TASK_ID)).toEqual({ stdout: 7, stderr: 0 });
    expect(told(ledger, 1)).toEqual(["stdout one"]);
  });

  it("H9 can be left out: changes of state alone keep their numbers", () => {
    const { ledger } = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    ledger.addOutput(TASK_ID, "stdout", "a\nb\n", 1);
    ledger.change(TASK_ID, { state: "running", startedAt: 2 }, 2);
    expect(ledger.events(TASK_ID, 0, 10, "state").map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, "state"],
      [4, "state"],
    ]);
    expect(ledger.events(TASK_ID, 1, 10, "state")).toHaveLength(1);
  });

  it("S6 of all ended tasks take so much room at most; those ended longest ago go, and a gap says so", () => {
    const { ledger } = openLedger(undefined, { keptOutputBytes: 4_000 });
    for (const n of [1, 2, 3]) {
      ledger.begin(aTask({ taskId: taskId(n) }), AT_ONCE, n);
      ledger.addOutput(taskId(n), "stdout", `${"x".repeat(1_000)}\n`, n);
      ledger.change(taskId(n), { state: "completed", endedAt: n }, n);
    }
    const kinds = (n: number) => ledger.events(taskId(n), 0, 10).map(({ kind }) => kind);
    expect(kinds(1)).toEqual(["gap", "state"]);
    expect(kinds(2)).toEqual(["state", "output", "state"]);
    expect(kinds(3)).toEqual(["state", "output", "state"]);
  });
});
