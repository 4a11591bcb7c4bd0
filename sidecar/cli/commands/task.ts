import { isTaskUnanswered } from "../../../shared/client/create-task.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type Command, EXIT, UsageError } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { durationMs } from "../duration.ts";
import { followTask } from "../follow-task.ts";

export const task: Command = {
  summary: "Start a task",
  usage: 'task "<text>" [--priority P] [--timeout T] [--key K] [--verbose] [--follow] [--json]',
  example: 'hivegate task "count primes below 5000000" --priority high --follow',
  options: {
    priority: { type: "string", value: "P", help: "high, critical, medium or low (medium)" },
    timeout: { type: "string", value: "T", help: "stop it after this: 90s, 30m, 12h (24h, the most)" },
    key: { type: "string", value: "K", help: "the same key never starts a second task" },
    verbose: { type: "boolean", help: "ask the swarm to say more" },
    follow: { type: "boolean", help: "show the output until the task has ended" },
    ...CONNECTION_OPTIONS,
  },
  words: [1, 1],
  async run(args, io) {
    const timeout = args.text("timeout");
    const timeoutMs = timeout === undefined ? undefined : timeoutMsOf(timeout);
    const client = connect(args, io);
    const request = {
      task: args.words[0] ?? "",
      priority: args.text("priority"),
      timeoutMs,
      idempotencyKey: args.text("key"),
      verbose: args.flag("verbose"),
    };
    const result = await client.createTask(request).catch(async (thrown: unknown) => {
      if (isTaskUnanswered(thrown))
        await io.err(
          `It may have been started. The same with --key ${thrown.idempotencyKey} finds it, or starts it.\n`,
        );
      throw thrown;
    });
    const { taskId, swarmId, method, note, state } = result.task;
    const json = args.flag("json");
    if (json) await io.out(`${JSON.stringify(result)}\n`);
    const verb = result.created ? (state === "queued" ? "Queued" : "Started") : "Already there";
    const how = `${method}${swarmId === null ? "" : `, ${swarmId}`}`;
    const told = `${verb}: ${taskId} (${how})\n${note === undefined ? "" : `${note}\n`}`;
    if (args.flag("follow")) {
      if (!json) await io.err(told);
      return followTask(client, result.task, { after: 0, json }, io);
    }
    if (!json) await io.out(`${told}Follow it: hivegate follow ${taskId}\n`);
    return EXIT.done;
  },
};

function timeoutMsOf(text: string): number {
  const ms = durationMs(text);
  if (ms === null || ms < LIMITS.leastTaskRunMs || ms > LIMITS.taskRunMs)
    throw new UsageError("--timeout: from 1s to 24h, as a number and s, m or h, such as 30m.");
  return ms;
}
