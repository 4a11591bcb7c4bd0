/** `hive-mind spawn`: starts a swarm and follows it to its end. */
import { z } from "zod";
import type { SpawnCommand } from "./cli-options.ts";
import { CallRefused, ConnectionLost, DaemonClient } from "./client.ts";
import type { DemoConfig } from "./config.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { goesOn } from "./queen.ts";

const Orchestrated = z.object({ swarmId: z.string(), taskId: z.string(), workerCount: z.number() });

const Status = z.object({
  status: z.enum(["active", "paused", "completed", "failed", "stopped"]),
  progress: z.number(),
  unitsDone: z.number(),
  unitsTotal: z.number(),
  createdAt: z.number(),
  endedAt: z.number().nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  error: z.string().nullable(),
});
type Status = z.infer<typeof Status>;

/** A line of `spawn --format json`. `failed` without a swarm: the task was refused. */
type SpawnEvent =
  | { event: "spawned"; swarmId: string; taskId: string; workers: number; timestamp: number }
  | { event: "progress"; swarmId: string; progress: number; unitsDone: number; unitsTotal: number }
  | { event: "completed"; swarmId: string; result: Status["result"]; durationMs: number }
  | { event: "failed"; swarmId: string | null; reason: string }
  | { event: "stopped"; swarmId: string };
type Print = (event: SpawnEvent) => void;

/**
 * Answers with the exit code. A signal stops the swarm; its end is then reported as any other.
 * @throws StartError when the daemon cannot be reached
 */
export async function spawnSwarm(
  command: SpawnCommand,
  config: DemoConfig,
  taskId: string | undefined,
): Promise<number> {
  const print = printer(command);
  const signal = stopSignal();
  const client = await DaemonClient.connect(config);
  signal.addEventListener("abort", () => client.wake());
  let swarmId: string | null = null;
  try {
    const order = {
      task: command.operands[0],
      priority: command.priority,
      maxWorkers: command["max-workers"],
    };
    const swarm = await client.call("task_orchestrate", { ...order, taskId }, Orchestrated);
    swarmId = swarm.swarmId;
    print({
      event: "spawned",
      swarmId,
      taskId: swarm.taskId,
      workers: swarm.workerCount,
      timestamp: Date.now(),
    });
    return finish(swarmId, await follow(client, swarmId, signal, print), print);
  } catch (error) {
    if (!(error instanceof CallRefused || error instanceof ConnectionLost)) throw error;
    print({ event: "failed", swarmId, reason: error.message });
    return 1;
  } finally {
    client.close();
  }
}

function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  process.on("SIGTERM", () => stopping.abort());
  process.on("SIGINT", () => stopping.abort());
  return stopping.signal;
}

async function follow(
  client: DaemonClient,
  swarmId: string,
  signal: AbortSignal,
  print: Print,
): Promise<Status> {
  let printedUnits = 0;
  let printedAtMs = Date.now();
  let stopAsked = false;
  for (;;) {
    if (signal.aborted && !stopAsked) {
      stopAsked = true;
      await askToStop(client, swarmId);
    }
    const status = await client.call("task_status", { taskId: swarmId }, Status);
    if (!goesOn(status.status)) return status;
    const { progress, unitsDone, unitsTotal } = status;
    if (unitsDone > printedUnits && Date.now() >= printedAtMs + DEMO_LIMITS.progressEveryMs) {
      print({ event: "progress", swarmId, progress, unitsDone, unitsTotal });
      printedUnits = unitsDone;
      printedAtMs = Date.now();
    }
    if (!signal.aborted || stopAsked) await client.changed(DEMO_LIMITS.progressEveryMs);
  }
}

/** A swarm that ended in the meantime cannot be stopped, and need not be. */
async function askToStop(client: DaemonClient, swarmId: string): Promise<void> {
  try {
    await client.call("task_stop", { swarmId }, z.object({}));
  } catch (error) {
    if (!(error instanceof CallRefused)) throw error;
  }
}

function finish(swarmId: string, end: Status, print: Print): number {
  switch (end.status) {
    case "completed":
      print({
        event: "completed",
        swarmId,
        result: end.result,
        durationMs: (end.endedAt ?? end.createdAt) - end.createdAt,
      });
      return 0;
    case "stopped":
      print({ event: "stopped", swarmId });
      return 3;
    default:
      print({ event: "failed", swarmId, reason: end.error ?? "The daemon gives no reason." });
      return 1;
  }
}

function printer({ format, verbose }: SpawnCommand): Print {
  if (format === "json") return (event) => void process.stdout.write(`${JSON.stringify(event)}\n`);
  return (event) => {
    if (event.event !== "progress" || verbose) process.stdout.write(`${inWords(event)}\n`);
  };
}

function inWords(event: SpawnEvent): string {
  switch (event.event) {
    case "spawned":
      return `${event.swarmId}: ${event.workers} workers`;
    case "progress":
      return `${Math.floor(event.progress * 100)} %, ${event.unitsDone} of ${event.unitsTotal} units`;
    case "completed":
      return `completed in ${event.durationMs} ms: ${JSON.stringify(event.result)}`;
    case "failed":
      return `failed: ${event.reason}`;
    case "stopped":
      return "stopped";
  }
}
