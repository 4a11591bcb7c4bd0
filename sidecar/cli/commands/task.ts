import { type Command, EXIT } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { followTask } from "../follow-task.ts";

export const task: Command = {
  summary: "Start a task",
  usage: 'task "<text>" [--priority P] [--key K] [--verbose] [--follow] [--json]',
  example: 'hivegate task "count primes below 5000000" --priority high --follow',
  options: {
    priority: { type: "string", value: "P", help: "high, critical, medium or low (medium)" },
    key: { type: "string", value: "K", help: "the same key never starts a second task" },
    verbose: { type: "boolean", help: "ask the swarm to say more" },
    follow: { type: "boolean", help: "show the output until the task has ended" },
    ...CONNECTION_OPTIONS,
  },
  words: [1, 1],
  async run(args, io) {
    const client = connect(args, io);
    const result = await client.createTask({
      task: args.words[0] ?? "",
      priority: args.text("priority"),
      idempotencyKey: args.text("key"),
      verbose: args.flag("verbose"),
    });
    const { taskId, swarmId, method } = result.task;
    const json = args.flag("json");
    if (json) await io.out(`${JSON.stringify(result)}\n`);
    const verb = result.created ? "Started" : "Already there";
    const told = `${verb}: ${taskId} (${method}${swarmId === null ? "" : `, ${swarmId}`})\n`;
    if (args.flag("follow")) {
      if (!json) await io.err(told);
      return followTask(client, result.task, { after: 0, json }, io);
    }
    if (!json) await io.out(`${told}Follow it: hivegate follow ${taskId}\n`);
    return EXIT.done;
  },
};
