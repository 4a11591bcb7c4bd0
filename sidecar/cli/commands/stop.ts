import { type Command, EXIT } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { taskIdOf } from "../task-id.ts";
import { stateText } from "../task-text.ts";

export const stop: Command = {
  summary: "Stop a task and see it end",
  usage: "stop TASK [--json]",
  example: "hivegate stop 22d8dc6a-4463-8ba2-9e6f-a89103e63818",
  options: CONNECTION_OPTIONS,
  words: [1, 1],
  async run(args, io) {
    const taskId = taskIdOf(args);
    const task = await connect(args, io).stop(taskId);
    const isStopped = task.state === "stopped";
    if (args.flag("json")) await io.out(`${JSON.stringify({ task })}\n`);
    else if (isStopped) await io.out(`Stopped: ${taskId}\n`);
    // A swarm may need longer than it is waited for, and a task may end by itself just before.
    else await io.err(`Not stopped: ${stateText(task.state)}. See: hivegate follow ${taskId}\n`);
    return isStopped ? EXIT.done : EXIT.failed;
  },
};
