import { chmodSync, readdirSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { TaskEvent } from "../../../shared/swarm/task.ts";
import { type Beginning, Ledger, type LedgerLimits } from "../../../sidecar/swarm/ledger.ts";
import { aTask, scratchDirectory, TASK_ID, taskId } from "./fakes.ts";

function openLedger(directory = scratchDirectory(), limits?: Partial<LedgerLimits>): Ledger {
  const ledger = new Ledger(directory, limits);
  onTestFinished(() => closeQuietly(ledger));
  return ledger;
}

function closeQuietly(ledger: Ledger): void {
  try {
    ledger.close();
  } catch {
    // The test closed it.
  }
}

/** A ledger and a disk that is full at will: SQLite then fails as it does on a real one. */
function ledgerOnSmallDisk() {
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  const ledger = openLedger();
  const db = exec.mock.contexts[0];
  exec.mockRestore();
  if (!(db instanceof DatabaseSync)) throw new Error("the ledger has no database");
  const isFull = (full: boolean) => void db.exec(`PRAGMA max_page_count = ${full ? 1 : 1_000_000}`);
  return { ledger, isFull };
}

const AT_ONCE: Beginning = { method: "process", state: "spawning" };

const texts = (events: TaskEvent[]) =>
  events.map((event) => (event.kind === "output" ? event.text : event.kind));

describe("a ledger", () => {
  it("H9 begins a task once: a second equal request finds the first", () => {
    const ledger = openLedger();
    const first = ledger.begin(aTask(), AT_ONCE, 1_000);
    const second = ledger.begin(aTask(), AT_ONCE, 2_000);
    expect(first).toMatchObject({ created: true, task: { state: "spawning", createdAt: 1_000 } });
    expect(second).toEqual({ created: false, task: first.task });
  });

  it.each([
    ["text", aTask({ task: "something else" })],
    ["priority", aTask({ priority: "High" })],
    ["verbosity", aTask({ verbose: true })],
  ])("H9 refuses an id that was used for another %s", (_, other) => {
    const ledger = openLedger();
    ledger.begin(aTask(), AT_ONCE, 1_000);
    expect(() => ledger.begin(other, AT_ONCE, 2_000)).toThrow(
      expect.objectContaining({ code: "idempotency_conflict" }),
    );
  });

  it("H9 begins a failed task anew only when it is certain that nothing was run for it", () => {
    const ledger = openLedger();
    ledger.begin(aTask(), AT_ONCE, 1_000);
    ledger.change(TASK_ID, { state: "failed", endedAt: 1_001 }, 1_001);
    expect(ledger.neverRan(TASK_ID)).toBe(false);
    expect(ledger.begin(aTask(), AT_ONCE, 1_002)).toMatchObject({ created: false });

    ledger.begin(aTask({ taskId: taskId(2) }), AT_ONCE, 1_000);
    ledger.change(taskId(2), { state: "failed", endedAt: 1_001, neverRan: true }, 1_001);
    expect(ledger.neverRan(taskId(2))).toBe(true);
    expect(ledger.begin(aTask({ taskId: taskId(2) }), AT_ONCE, 1_002)).toMatchObject({ created: true });
    expect(ledger.neverRan(taskId(2))).toBe(false);
  });

  it("H9 tells readers of a task that began anew no end but its last", () => {
    const ledger = openLedger();
    ledger.begin(aTask(), AT_ONCE, 1_000);
    ledger.change(TASK_ID, { state: "failed", endedAt: 1_001, neverRan: true }, 1_001);
    ledger.begin(aTask(), AT_ONCE, 1_002);
    ledger.change(TASK_ID, { state: "completed", endedAt: 1_003 }, 1_003);
    const told = ledger
      .events(TASK_ID, 0, 10)
      .map((event) => [event.seq, event.kind === "state" ? event.task.state : event.kind]);
    expect(told).toEqual([
      [1, "spawning"],
      [2, "gap"],
      [3, "spawning"],
      [4, "completed"],
    ]);
  });

  it("H9 knows after a restart what it knew before", () => {
    const directory = scratchDirectory();
    const before = openLedger(directory);
    before.begin(aTask(), { method: "docker-exec", state: "spawning" }, 1_000);
    before.remember(TASK_ID, "exec 1");
    before.addOutput(TASK_ID, "stdout", "one\n", 1_001);
    const task = before.change(TASK_ID, { state: "running", startedAt: 1_002 }, 1_002);
    before.askStop(TASK_ID, true);
    before.close();

    const after = openLedger(directory);
    expect(after.unfinished()).toEqual([
      { task, handle: "exec 1", stopAsked: true, client: "client 1", verbose: false },
    ]);
    after.addOutput(TASK_ID, "stdout", "two\n", 1_003);
    expect(after.events(TASK_ID, 0, 100).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
    expect(after.output(TASK_ID, "beginning", 100)).toBe("one\ntwo\n");
  });

  it("H9 says that the disk is full, and goes on as if nothing had been tried when it is not any more", () => {
    const { ledger, isFull } = ledgerOnSmallDisk();
    const { task } = ledger.begin(aTask(), AT_ONCE, 1_000);
    isFull(true);
    const fill = () => {
      for (let n = 0; n < 1_000; n++) {
        ledger.change(TASK_ID, { error: { code: "internal", message: "x".repeat(3_000) } }, n);
      }
    };
    expect(fill).toThrow("database or disk is full");
    const { seq } = ledger.events(TASK_ID, 0, 1_000).at(-1) ?? { seq: 0 };
    isFull(false);
    ledger.change(TASK_ID, { state: "completed", endedAt: 2_000, error: null }, 2_000);
    expect(ledger.events(TASK_ID, seq, 10).map((event) => event.seq)).toEqual([seq + 1]);
    expect(ledger.get(TASK_ID)).toEqual({ ...task, state: "completed", endedAt: 2_000 });
  });

  it("S8 is readable by its owner alone, wherever it lies", () => {
    const directory = scratchDirectory();
    chmodSync(directory, 0o755);
    openLedger(directory).begin(aTask(), AT_ONCE, 1_000);
    const modes = readdirSync(directory).map((name) => statSync(`${directory}/${name}`).mode & 0o777);
    expect(modes.length).toBeGreaterThan(1);
    expect(new Set(modes)).toEqual(new Set([0o600]));
  });

  it("H9 is held by one process at a time, and says so in one line", () => {
    const directory = scratchDirectory();
    openLedger(directory);
    expect(() => new Ledger(directory)).toThrow(/^another sidecar uses this state directory/);
  });

  it("refuses a ledger of a newer version rather than guess at it", () => {
    const directory = scratchDirectory();
    openLedger(directory).close();
    const db = new DatabaseSync(`${directory}/ledger.db`);
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(() => new Ledger(directory)).toThrow(/newer version/);
  });

  it("tells the state of a task at each of its events, text and all", () => {
    const ledger = openLedger();
    const { task } = ledger.begin(aTask(), AT_ONCE, 1_000);
    const error = { code: "swarm_failed", message: "It broke." } as const;
    const failed = ledger.change(TASK_ID, { state: "failed", exitCode: 7, endedAt: 1_005, error }, 1_005);
    expect(failed).toEqual({ ...task, state: "failed", exitCode: 7, endedAt: 1_005, error });
    expect(ledger.events(TASK_ID, 0, 10)).toEqual([
      { taskId: TASK_ID, seq: 1, timestamp: 1_000, kind: "state", task },
      { taskId: TASK_ID, seq: 2, timestamp: 1_005, kind: "state", task: failed },
    ]);
    expect(ledger.get(TASK_ID)).toEqual(failed);
    expect(ledger.unfinished()).toEqual([]);
  });

  it("gives events in pages, from any point", () => {
    const ledger = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    for (const text of ["a", "b", "c", "d"]) ledger.addOutput(TASK_ID, "stderr", `${text}\n`, 1);
    expect(texts(ledger.events(TASK_ID, 0, 2))).toEqual(["state", "a"]);
    expect(texts(ledger.events(TASK_ID, 2, 2))).toEqual(["b", "c"]);
    expect(ledger.events(TASK_ID, 5, 2)).toEqual([]);
    expect(ledger.events(taskId(2), 0, 2)).toEqual([]);
  });

  it("reads the beginning and the end of standard output alone", () => {
    const ledger = openLedger();
    ledger.begin(aTask(), AT_ONCE, 0);
    for (const text of ["o", "ne\ntwo\n", "three\n"]) ledger.addOutput(TASK_ID, "stdout", text, 1);
    ledger.addOutput(TASK_ID, "stderr", "noise\n", 1);
    expect(ledger.output(TASK_ID, "beginning", 6)).toBe("one\ntw");
    expect(ledger.output(TASK_ID, "end", 9)).toBe("wo\nthree\n");
  });

  it("S6 drops the oldest output over the limit and says so with a gap", () => {
    const ledger = openLedger(scratchDirectory(), {
      taskOutputBytes: 1_000,
      endedTasks: 10,
      rememberedTasks: 10,
    });
    ledger.begin(aTask(), AT_ONCE, 0);
    for (let n = 0; n < 50; n++) ledger.addOutput(TASK_ID, "stdout", `line ${n}\n`, n);
    const [gap, first, ...rest] = ledger.events(TASK_ID, 3, 100);
    expect(gap).toMatchObject({ kind: "gap", seq: Number(first?.seq) - 1 });
    expect(rest.at(-1)).toMatchObject({ kind: "output", text: "line 49", seq: 51 });
    expect(rest.length).toBeLessThan(15);
    // A reader that saw the last lost event has missed nothing.
    expect(ledger.events(TASK_ID, Number(gap?.seq), 1)).toEqual([first]);
  });

  it("S6 numbers events without a hole, whatever is written, dropped and read", () => {
    const step = fc.oneof(
      fc.record({ write: fc.string({ unit: fc.constantFrom("a", "é", "\n"), maxLength: 300 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 9 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ledger = new Ledger(scratchDirectory(), {
          taskOutputBytes: 1_500,
          endedTasks: 10,
          rememberedTasks: 10,
        });
        ledger.begin(aTask(), AT_ONCE, 0);
        let written = 1;
        let seen = 0;
        for (const { write, read } of steps.map((s) => ({ write: undefined, read: undefined, ...s }))) {
          if (write !== undefined) {
            ledger.addOutput(TASK_ID, "stdout", write, 0);
            written += write.split("\n").length - 1;
          }
          if (read === undefined) continue;
          for (const event of ledger.events(TASK_ID, seen, read)) {
            expect(event.seq === seen + 1 || (event.kind === "gap" && event.seq > seen)).toBe(true);
            seen = event.seq;
          }
        }
        ledger.change(TASK_ID, { state: "completed", endedAt: 1 }, 1);
        const left = ledger.events(TASK_ID, seen, 10_000);
        const unfinished = left.filter((event) => event.kind === "output" && event.partial).length;
        expect(left.at(-1)).toMatchObject({ seq: written + unfinished + 1, task: { state: "completed" } });
        ledger.close();
      }),
      { numRuns: 30 },
    );
  });

  it("S6 lists tasks with long texts cut between characters, and has them whole one by one", () => {
    const ledger = openLedger();
    const text = `${"x".repeat(LIMITS.listedTaskTextChars - 2)}🐝🐝`;
    ledger.begin(aTask({ task: text }), AT_ONCE, 0);
    expect(ledger.list()[0]?.task).toBe(`${"x".repeat(LIMITS.listedTaskTextChars - 2)}…`);
    expect(ledger.get(TASK_ID)?.task).toBe(text);
  });

  it("H4 lists all that are under way and the last that ended, of all swarms or of some", () => {
    const ledger = openLedger();
    for (let n = 1; n <= LIMITS.listedEndedTasks + 10; n++) {
      ledger.begin(aTask({ taskId: taskId(n) }), AT_ONCE, n);
      if (n <= 2) ledger.change(taskId(n), { swarmId: "mine" }, n);
      if (n !== 1) ledger.change(taskId(n), { state: "completed", endedAt: n }, n);
    }
    const all = ledger.list().map((task) => task.taskId);
    expect(all).toHaveLength(LIMITS.listedEndedTasks + 1);
    expect([all[0], all.at(-1)]).toEqual([taskId(LIMITS.listedEndedTasks + 10), taskId(1)]);
    expect(all).not.toContain(taskId(2));
    const own = (swarms: string[]) => ledger.list(swarms).map((task) => task.taskId);
    expect(own(["other", "mine"])).toEqual([taskId(2), taskId(1)]);
    expect([own([]), own(["other"])]).toEqual([[], []]);
  });

  it("S6 forgets the oldest ended tasks over the limit, never one that runs", () => {
    const ledger = openLedger(scratchDirectory(), {
      taskOutputBytes: 10_000,
      endedTasks: 2,
      rememberedTasks: 10,
    });
    for (let n = 1; n <= 5; n++) ledger.begin(aTask({ taskId: taskId(n) }), AT_ONCE, n);
    for (const n of [4, 3, 2, 5]) {
      ledger.change(taskId(n), { state: "completed", endedAt: 100 - n }, 100 - n);
    }
    expect(ledger.list().map((task) => task.taskId)).toEqual([taskId(3), taskId(2), taskId(1)]);
    expect(ledger.events(taskId(5), 0, 10)).toEqual([]);
  });

  it("H9 runs no task again that is no longer kept, for as long as it is remembered", () => {
    const directory = scratchDirectory();
    const limits = { taskOutputBytes: 10_000, endedTasks: 1, rememberedTasks: 2 };
    const before = openLedger(directory, limits);
    for (const n of [1, 2, 3, 4]) {
      before.begin(aTask({ taskId: taskId(n) }), AT_ONCE, n);
      before.change(taskId(n), { state: "completed", endedAt: n }, n);
    }
    before.close();
    const ledger = openLedger(directory, limits);
    const begin = (n: number, change = {}) =>
      ledger.begin(aTask({ taskId: taskId(n), ...change }), AT_ONCE, 9);
    expect(begin(4)).toMatchObject({ created: false, task: { state: "completed" } });
    for (const n of [2, 3]) {
      expect(() => begin(n)).toThrow(expect.objectContaining({ code: "task_ended" }));
      const conflict = expect.objectContaining({ code: "idempotency_conflict" });
      expect(() => begin(n, { task: "something else" })).toThrow(conflict);
    }
    expect(begin(1).created).toBe(true);
  });

  it("H9 forgets a task that never ran, so that it may be asked for again", () => {
    const ledger = openLedger(undefined, { taskOutputBytes: 10_000, endedTasks: 1, rememberedTasks: 2 });
    for (const n of [1, 2]) {
      ledger.begin(aTask({ taskId: taskId(n) }), AT_ONCE, n);
      ledger.change(taskId(n), { state: "failed", endedAt: n, neverRan: true }, n);
    }
    expect(ledger.get(taskId(1))).toBeUndefined();
    expect(ledger.begin(aTask({ taskId: taskId(1) }), AT_ONCE, 9).created).toBe(true);
  });
});
