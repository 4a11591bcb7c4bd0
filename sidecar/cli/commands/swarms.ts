import { type Command, EXIT } from "../command.ts";
import { CONNECTION_OPTIONS, connect } from "../connection.ts";
import { swarmsTable } from "../swarms-table.ts";

export const swarms: Command = {
  summary: "List the swarms",
  usage: "swarms [--json]",
  example: "hivegate swarms --json",
  options: CONNECTION_OPTIONS,
  words: [0, 0],
  async run(args, io) {
    const answer = await connect(args, io).swarms();
    if (args.flag("json")) await io.out(`${JSON.stringify(answer)}\n`);
    else await io.out(answer.swarms.length === 0 ? "No swarms.\n" : `${swarmsTable(answer.swarms, io)}\n`);
    return EXIT.done;
  },
};
