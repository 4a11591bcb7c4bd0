import type { SwarmStatus } from "../../../shared/protocol/sidecar.ts";
import { type Command, EXIT, type Io } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { swarmsTable } from "../swarms-table.ts";
import { tasksTable } from "../task-text.ts";

export const status: Command = {
  summary: "Show how a swarm is, or all of them",
  usage: "status [SWARM] [--json]",
  example: "hivegate status",
  options: CONNECTION_OPTIONS,
  words: [0, 1],
  async run(args, io) {
    const answer = await connect(args, io).status(args.words[0]);
    await io.out(args.flag("json") ? `${JSON.stringify(answer)}\n` : `${statusText(answer, io)}\n`);
    return EXIT.done;
  },
};

function statusText({ swarms, tasks, method, telemetry }: SwarmStatus, io: Io): string {
  const source = telemetry.status === "available" ? `from ${telemetry.server}` : "not available";
  return [
    swarms.length === 0 ? "No swarms." : swarmsTable(swarms, io),
    ...(tasks.length === 0 ? [] : ["", tasksTable(tasks, io)]),
    "",
    `By ${method}; telemetry ${source}.`,
  ].join("\n");
}
