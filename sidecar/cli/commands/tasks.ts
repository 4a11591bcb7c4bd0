import { type Command, EXIT } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { tasksTable } from "../task-text.ts";

export const tasks: Command = {
  summary: "List the tasks, newest first",
  usage: "tasks [--json]",
  example: "hivegate tasks",
  options: CONNECTION_OPTIONS,
  words: [0, 0],
  async run(args, io) {
    const list = await connect(args, io).tasks();
    if (args.flag("json")) await io.out(`${JSON.stringify({ tasks: list })}\n`);
    else await io.out(list.length === 0 ? "No tasks yet.\n" : `${tasksTable(list, io)}\n`);
    return EXIT.done;
  },
};
