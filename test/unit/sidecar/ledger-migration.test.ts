import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import { MIGRATIONS } from "../../../sidecar/swarm/ledger-schema.ts";
import { aTask, scratchDirectory, taskId } from "./fakes.ts";

/** The schema before tasks could wait for their turn and lines were events. */
const OLDER = 4;

type OldTask = { n: number; state: string; endedAt: number | null };

/** A ledger as an older sidecar left it, with a task in each of these states. */
function olderLedger(tasks: OldTask[]): string {
  const directory = scratchDirectory();
  const db = new DatabaseSync(`${directory}/ledger.db`);
  for (const migration of MIGRATIONS.slice(0, OLDER)) db.exec(migration);
  db.exec(`PRAGMA user_version = ${OLDER}`);
  const insert = db.prepare(
    `INSERT INTO tasks (task_id, task, priority, verbose, method, state, created_at, ended_at, handle)
     VALUES (?, ?, 'Medium', 0, 'docker-exec', ?, 10, ?, 'exec 1')`,
  );
  const append = db.prepare("INSERT INTO events VALUES (?, ?, 10, ?, ?, ?, 100)");
  for (const { n, state, endedAt } of tasks) {
    insert.run(taskId(n), aTask().task, state, endedAt);
    append.run(taskId(n), 1, "state", null, JSON.stringify(oldState(n, "starting", null)));
    append.run(taskId(n), 2, "output", "stdout", "one\ntw");
    append.run(taskId(n), 3, "output", "stdout", "o\n");
    append.run(taskId(n), 4, "state", null, JSON.stringify(oldState(n, state, endedAt)));
  }
  db.close();
  return directory;
}

const oldState = (n: number, state: string, endedAt: number | null) => ({
  ...{ taskId: taskId(n), priority: "Medium", state, method: "docker-exec", swarmId: null },
  ...{ createdAt: 10, startedAt: null, endedAt, exitCode: null, error: null },
});

function open(directory: string): Ledger {
  const ledger = new Ledger(directory);
  onTestFinished(() => ledger.close());
  return ledger;
}

describe("a ledger of an older sidecar", () => {
  it("H9 knows its tasks by the states of now, and when their turn came", () => {
    const ledger = open(
      olderLedger([
        { n: 1, state: "starting", endedAt: null },
        { n: 2, state: "unknown", endedAt: 20 },
        { n: 3, state: "completed", endedAt: 20 },
      ]),
    );
    const now = { spawningAt: 10, pausedAt: null, timeoutMs: 86_400_000 };
    expect(ledger.get(taskId(1))).toMatchObject({ state: "spawning", ...now });
    expect(ledger.get(taskId(2))).toMatchObject({ state: "lost", ...now });
    expect(ledger.get(taskId(3))).toMatchObject({ state: "completed", ...now });
    expect(ledger.unfinished()).toMatchObject([{ handle: "exec 1", task: { taskId: taskId(1) } }]);
  });

  it("H9 tells events as they were written, and goes on in lines", () => {
    const ledger = open(olderLedger([{ n: 1, state: "running", endedAt: null }]));
    ledger.addOutput(taskId(1), "stdout", "three\n", 30);
    expect(ledger.events(taskId(1), 0, 10)).toMatchObject([
      { seq: 1, task: { state: "spawning", spawningAt: 10 } },
      { seq: 2, text: "one\ntw", partial: true },
      { seq: 3, text: "o\n", partial: true },
      { seq: 4, task: { state: "running" } },
      { seq: 5, text: "three" },
    ]);
    expect(ledger.output(taskId(1), "beginning", 100)).toBe("one\ntwo\nthree\n");
  });

  it("H9 finds the task again that a late request means, and runs none twice", () => {
    const ledger = open(olderLedger([{ n: 1, state: "completed", endedAt: 20 }]));
    const again = ledger.begin(
      aTask({ taskId: taskId(1) }),
      { method: "docker-exec", state: "spawning" },
      30,
    );
    expect(again).toMatchObject({ created: false, task: { state: "completed" } });
  });
});
