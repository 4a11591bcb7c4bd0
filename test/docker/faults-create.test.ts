/**
 * The last steps of a create, between the sidecar and Docker: at each the sidecar is killed, the connection to Docker
 * breaks, or Docker hangs. What is said of the task afterwards is what the swarm counted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { docker, dockerAvailable } from "../support/docker.ts";
import { type SteppedSystem, startSteppedSystem } from "../support/stepped-system.ts";
import { type SteppedWay, startWay } from "../support/stepped-way.ts";

const WITHIN_MS = 60_000;

/** How the task ends, and how often it was run. One of which nothing was run is asked for again, and then runs. */
const RAN = ["completed", 1] as const;
const RAN_UNSEEN = ["lost", 1] as const;
/** Its start was sent and not answered: it might have run. */
const MAY_HAVE_RUN = ["lost", 0] as const;

const KILLED = "the sidecar is killed";
const BROKEN = "the connection breaks";
const HANGS = "Docker hangs";

/** `exec` makes the process known to Docker, `start` runs it. The sidecar remembers it between the two. */
const CASES = [
  { when: "before Docker knows of it", call: "exec", of: "request", fault: KILLED, ends: RAN },
  { when: "before Docker knows of it", call: "exec", of: "request", fault: BROKEN, ends: RAN },
  { when: "before Docker knows of it", call: "exec", of: "request", fault: HANGS, ends: RAN },
  { when: "before it is remembered", call: "exec", of: "answer", fault: KILLED, ends: RAN },
  { when: "before it is remembered", call: "exec", of: "answer", fault: BROKEN, ends: RAN },
  { when: "remembered, before it runs", call: "start", of: "request", fault: KILLED, ends: RAN },
  { when: "remembered, before it runs", call: "start", of: "request", fault: BROKEN, ends: MAY_HAVE_RUN },
  { when: "before it is known to run", call: "start", of: "answer", fault: KILLED, ends: RAN_UNSEEN },
  { when: "before it is known to run", call: "start", of: "answer", fault: BROKEN, ends: RAN_UNSEEN },
  { when: "before it is known to run", call: "start", of: "answer", fault: HANGS, ends: RAN_UNSEEN },
] as const;

describe.skipIf(!(await dockerAvailable()))("a create between the sidecar and Docker", () => {
  const dir = mkdtempSync(join(tmpdir(), "hivegate-faults-"));
  const socketPath = join(dir, "docker.sock");
  let toDocker: SteppedWay;
  let all: SteppedSystem;
  let count = 0;

  beforeAll(async () => {
    toDocker = await startWay("/var/run/docker.sock", { socketPath });
    all = await startSteppedSystem(docker, { DOCKER_SOCKET: socketPath, DOCKER_COMMAND_TIMEOUT_MS: "3000" });
  });
  afterAll(async () => {
    await all?.stop();
    await toDocker?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const create = (text: string) => all.system.client.createTask({ task: text, idempotencyKey: text });
  /** Until it is taken: while Docker's circuit is open, the answer is that nothing was run. */
  const createAtLast = (text: string) =>
    vi.waitFor(() => create(text), { timeout: WITHIN_MS, interval: 250 });

  async function happen(fault: (typeof CASES)[number]["fault"]): Promise<void> {
    if (fault === KILLED) await all.system.killAndRestartSidecar();
    if (fault === BROKEN) toDocker.cut();
  }

  it.each(CASES)("H9 Q2 $when, $fault: $ends", async ({ call, of, fault, ends }) => {
    const text = `task ${++count}`;
    // So that the swarm is ready, and the next call to Docker is the task's.
    const { task: before } = await createAtLast(`before ${text}`);
    await all.endOf(before.taskId);
    const request = call === "exec" ? `POST /containers/${all.stepped.name}/exec` : "POST /exec/";
    const stopped = toDocker.stopAt(request, { of, at: "start" });
    const first = create(text).catch(() => {});
    await stopped;
    // Docker answers before the process runs.
    if (ends === RAN_UNSEEN)
      await vi.waitFor(() => expect(all.runs(text)).toBe(1), { timeout: WITHIN_MS, interval: 20 });
    await happen(fault);
    await first;
    const { task } = await createAtLast(text);
    const { state } = (await all.endOf(task.taskId)).task;
    expect([state, all.runs(text)]).toEqual(ends);
    await all.expectNothingRuns();
  });

  it("H9 leaves the sidecar no socket to Docker", async () => {
    await vi.waitFor(() => expect(toDocker.connections()).toBe(0), { timeout: WITHIN_MS });
  });
});
