import { z } from "zod";
import { type Command, UsageError } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { followTask } from "../follow-task.ts";
import { taskIdOf } from "../task-id.ts";

const After = z.coerce.number().int().nonnegative().default(0);

export const follow: Command = {
  summary: "Show a task's output until it has ended",
  usage: "follow TASK [--after N] [--json]",
  example: "hivegate follow 22d8dc6a-4463-8ba2-9e6f-a89103e63818",
  options: {
    after: { type: "string", value: "N", help: "leave out what came before event N (0)" },
    ...CONNECTION_OPTIONS,
  },
  words: [1, 1],
  async run(args, io) {
    const taskId = taskIdOf(args);
    const after = After.safeParse(args.text("after"));
    if (!after.success) throw new UsageError("--after is the number of an event: 0 or more.");
    const client = connect(args, io);
    const task = await client.task(taskId);
    return followTask(client, task, { after: after.data, json: args.flag("json") }, io);
  },
};
